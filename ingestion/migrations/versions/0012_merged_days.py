"""Where Parquet waits for its removal: days of silver are merged in the lake."""

from ingestion.migrate import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_beside(__file__)
