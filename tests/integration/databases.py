"""A database of a test's own, migrated, on the server of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from ingestion import migrate


@contextmanager
def fresh_database(owner_dsn: str, revision: str = "head") -> Iterator[str]:
    """The DSN of an empty database, migrated to the revision, dropped at the end."""
    name = f"test_{uuid4().hex}"
    _run(owner_dsn, f"CREATE DATABASE {name}")
    try:
        dsn = urlunsplit(urlsplit(owner_dsn)._replace(path=f"/{name}"))
        migrate.upgrade(dsn, revision)
        yield dsn
    finally:
        _run(owner_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def _run(owner_dsn: str, statement: str) -> None:
    """In a connection of its own: the test may restart the server meanwhile."""
    with psycopg.connect(owner_dsn, autocommit=True) as server:
        server.execute(statement)
