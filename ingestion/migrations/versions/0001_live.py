"""The schemas, the rights of each role, and the live view with its history."""

from ingestion.migrate import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_beside(__file__)
