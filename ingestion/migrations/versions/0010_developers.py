"""The role of those who develop models: it reads the warehouse, and makes schemas of its own beside it."""

from ingestion.migrate import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_beside(__file__)
