"""What only one may do at a time, whatever process and machine it is on: the right to it is a lock in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def turn(connection: psycopg.Connection, right: int, *, patience: str, busy: Exception) -> Iterator[None]:
    """Hold a right until the block ends, or the connection does at the latest; wait while another session has it.

    Args:
        right: the number of the advisory lock.
        patience: how long to wait, as PostgreSQL writes it: ``10min``.
        busy: what to raise when another has had it for so long.
    """
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (patience,))
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (right,))
    except psycopg.errors.LockNotAvailable:
        raise busy from None
    connection.execute("RESET lock_timeout")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", (right,))
