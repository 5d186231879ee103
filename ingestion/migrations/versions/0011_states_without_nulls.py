"""What the first releases wrote as null is left out, as it is since: a replay makes the same rows then."""

from ingestion.migrate import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
