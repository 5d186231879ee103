"""What each month comes to, kept by the projector in the transaction that changes the expenses."""

from ingestion.migrate import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql_beside(__file__)
