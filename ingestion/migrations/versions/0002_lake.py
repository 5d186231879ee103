"""The manifest of bronze files, and silver: its batches, tables and quarantine."""

from ingestion.migrate import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql_beside(__file__)
