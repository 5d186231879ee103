"""The one way to open a database session."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from outlay.settings import Role, Settings, settings

_AT_MOST = 10
"""Sessions of one role that a process holds open at once; more of them wait for each other."""
_PATIENCE = 10.0  # seconds that a session waits for one

_lock = threading.Lock()
_kept: dict[str, ConnectionPool] | None = None


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
    with _connected(dsn, f"outlay-{role}") as connection:
        connection.autocommit = True
        connection.execute(
            "SELECT set_config('outlay.workspace_id', %s, false), set_config('outlay.user_id', %s, false)",
            (str(workspace_id or ""), str(user_id or "")),
        )
        connection.autocommit = autocommit
        yield connection


def keep_connections() -> None:
    """From now on, sessions of this process go on with connections that are open: for what answers many requests."""
    global _kept
    with _lock:
        _kept = _kept or {}


def close_connections() -> None:
    """Close what is kept; sessions open their own again."""
    global _kept
    with _lock:
        held, _kept = _kept or {}, None
    for pool in held.values():
        pool.close()


def _connected(dsn: str, name: str) -> AbstractContextManager[psycopg.Connection]:
    with _lock:
        if _kept is None:
            return psycopg.connect(dsn, application_name=name)
        if dsn not in _kept:
            _kept[dsn] = ConnectionPool(
                dsn,
                min_size=0,
                max_size=_AT_MOST,
                timeout=_PATIENCE,
                kwargs={"application_name": name},
                check=ConnectionPool.check_connection,  # the server may have been restarted
                open=True,
            )
        return _kept[dsn].connection()
