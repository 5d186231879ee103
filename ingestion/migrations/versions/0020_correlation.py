"""What one request or one run has made is found by its correlation id."""

from ingestion.migrate import run_sql_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql_beside(__file__)
