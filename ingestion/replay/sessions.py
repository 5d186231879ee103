"""The sessions of a replay in PostgreSQL, as the database's owner."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg


@contextmanager
def opened(dsn: str) -> Iterator[psycopg.Connection]:
    """In autocommit. Its statements end when this process dies."""
    with psycopg.connect(dsn, autocommit=True, application_name="outlay-replay") as connection:
        connection.execute("SET client_connection_check_interval = '1s'")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def each(dsn: str, statements: Sequence[str], setting: str = "") -> None:
    """Execute statements that need no order, in a session each, as many at once as there are processors.

    Args:
        setting: executed in each session before.

    Raises:
        psycopg.Error: of the first statement that failed; the others have ended.
    """

    def execute(statement: str) -> None:
        with opened(dsn) as connection:
            if setting:
                connection.execute(setting)
            connection.execute(statement)

    with ThreadPoolExecutor(os.cpu_count(), "replay") as threads:
        list(threads.map(execute, statements))
