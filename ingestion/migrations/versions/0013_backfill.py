"""Batches that replace others: days of silver are made again from bronze."""

from ingestion.migrate import run_sql_beside

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql_beside(__file__)
