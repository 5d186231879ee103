"""The one way to open a database session, and to hear what others commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import psycopg.sql

from outlay.settings import Role, Settings, settings


@contextmanager
def session(
    role: Role,
    *,
    workspace_id: UUID | str | None = None,
    user_id: UUID | None = None,
    autocommit: bool = False,
    using: Settings | None = None,
) -> Iterator[psycopg.Connection]:
    """A connection as `role`, committed when the block ends and rolled back when it raises.

    A session of ``app`` works for `user_id`, and row-level security lets it see `workspace_id` if they are a member of
    it, and otherwise nothing. One of ``operator``, who runs the installation, sees the workspace that it names.
    """
    dsn = (using or settings()).dsn(role)
    named = {"outlay.workspace_id": workspace_id, "outlay.user_id": user_id}
    given = {name: str(value) for name, value in named.items() if value is not None}
    with psycopg.connect(dsn, autocommit=autocommit, application_name=f"outlay-{role}") as connection:
        for setting in given.items():
            connection.execute("SELECT set_config(%s, %s, false)", setting)
        if given and not autocommit:
            connection.commit()
        yield connection


async def notified(channel: str, role: Role, *, using: Settings | None = None) -> AsyncIterator[str | None]:
    """The payloads of a channel's notifications, as they come. None first: from then on none is missed.

    Raises:
        psycopg.OperationalError: the session cannot be opened, or has ended.
    """
    dsn = (using or settings()).dsn(role)
    opened = await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name=f"outlay-{role}-{channel}")
    async with opened as connection:
        await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        yield None
        async for notice in connection.notifies():
            yield notice.payload
