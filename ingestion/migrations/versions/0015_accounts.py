"""Who may come in: accounts, sessions, tokens, the outbox of what they change, and the audit log."""

from ingestion.migrate import run_sql_beside

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql_beside(__file__)
