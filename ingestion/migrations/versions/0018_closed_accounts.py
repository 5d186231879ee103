"""Closed accounts stay known by their names, and transactions are found by the ids that callers gave them."""

from ingestion.migrate import run_sql_beside

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql_beside(__file__)
