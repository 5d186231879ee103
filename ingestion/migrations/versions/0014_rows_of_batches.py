"""Rows of a batch are written with its name, not compared with it."""

from ingestion.migrate import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_beside(__file__)
