"""How far into the log each batch reaches, readable by the app: for its `as of` and its count of newer expenses."""

from ingestion.migrate import run_sql_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql_beside(__file__)
