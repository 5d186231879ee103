"""The one way to open a database session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from outlay.settings import Role, Settings, settings


@contextmanager
def session(
    role: Role, *, workspace_id: UUID | str | None = None, autocommit: bool = False, using: Settings | None = None
) -> Iterator[psycopg.Connection]:
    """A connection as `role`, committed when the block ends and rolled back when it raises.

    With `workspace_id`, row-level security lets the session see that workspace and no other; without it, the
    app's role sees nothing.
    """
    dsn = (using or settings()).dsn(role)
    with psycopg.connect(dsn, autocommit=autocommit, application_name=f"outlay-{role}") as connection:
        if workspace_id is not None:
            connection.execute("SELECT set_config('outlay.workspace_id', %s, false)", (str(workspace_id),))
            if not autocommit:
                connection.commit()
        yield connection
