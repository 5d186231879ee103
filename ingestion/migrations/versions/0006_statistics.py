"""What the planner never asks for is not analysed."""

from ingestion.migrate import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql_beside(__file__)
