"""What becomes of a dead letter: published, retried or discarded, by whom, when and why."""

from ingestion.migrate import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
