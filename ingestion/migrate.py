"""Numbered migrations of the `live`, `bronze` and `silver` schemas, applied with Alembic.

Each revision is a Python file beside an SQL file of the same name; the SQL is the migration.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6F75746C6179  # "outlay": two starts at once apply each migration once


class NewerRelease(RuntimeError):
    """The tables are of a release that this one does not know."""


def upgrade(dsn: str, revision: str = "head") -> tuple[str | None, str]:
    """Bring the database at `dsn` (as its owner) to a revision, the newest unless told otherwise.

    Returns:
        The revisions before and after.

    Raises:
        NewerRelease: a newer release has made the tables; nothing is changed.
    """
    engine = create_engine(make_url(dsn).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_revision(revision)
    if newest is None:
        raise RuntimeError(f"no migration in {MIGRATIONS}")
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        context = MigrationContext.configure(
            connection, opts={"version_table": "schema_version", "version_table_schema": "public"}
        )
        before = context.get_current_revision()
        connection.commit()
        if before not in {None, *(each.revision for each in scripts.walk_revisions())}:
            raise NewerRelease(
                f"the database's tables are at revision {before}, and this release knows them up to {newest.revision}: "
                "start the release that upgraded them, or a newer one"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()
    return before, newest.revision


def run_sql_beside(file: str) -> None:
    """Execute the SQL file that stands beside a revision's Python file, in the revision's transaction.

    It goes to the driver as it is: SQLAlchemy would take a `%` in it for a parameter.
    """
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(Path(file).with_suffix(".sql").read_text())
