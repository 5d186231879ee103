"""Every query that a page or the API runs, each once, each in its own ``.sql`` file beside this one.

A file opens with a header, ``-- page:``, ``-- grain:`` and ``-- parameters:``, and holds one SELECT. It can be read,
explained in psql, and compared with the dbt exposure of its page without running anything of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg.rows import dict_row

_HEADER = re.compile(r"^-- (page|grain|parameters): (.+)$", re.MULTILINE)
_PARAMETER = re.compile(r"%\((\w+)\)s")


class NotBuilt(RuntimeError):
    """The warehouse holds no gold yet: nothing was built since the start."""


@dataclass(frozen=True)
class Query:
    name: str
    page: str
    """Of the app: ``expenses``, ``dashboard``, or ``every`` for what all pages share."""
    grain: str
    parameters: frozenset[str]
    sql: str


@cache
def named(name: str) -> Query:
    """The query in ``<name>.sql``.

    Raises:
        ValueError: a header is missing, or names other parameters than the SQL has.
    """
    sql = resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    header = dict(_HEADER.findall(sql))
    if missing := {"page", "grain", "parameters"} - header.keys():
        raise ValueError(f"{name}.sql has no header line for {', '.join(sorted(missing))}")
    declared = frozenset(re.findall(r"\w+", header["parameters"])) - {"none"}
    used = frozenset(_PARAMETER.findall(sql))
    if declared != used:
        raise ValueError(f"{name}.sql declares {sorted(declared)} but uses {sorted(used)}")
    return Query(name, header["page"], header["grain"], declared, sql)


def every() -> list[Query]:
    """All queries, by name."""
    files = resources.files(__name__).iterdir()
    return [named(file.name.removesuffix(".sql")) for file in sorted(files, key=str) if file.name.endswith(".sql")]


def rows(connection: psycopg.Connection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """The rows of a named query.

    It is planned anew for the values given, so that a filter left out (NULL) and an order not asked for cost nothing.

    Raises:
        NotBuilt: it reads gold, and gold was never built.
    """
    query = named(name)
    with connection.cursor(row_factory=dict_row) as cursor, _built(query):
        return cursor.execute(query.sql, parameters, prepare=False).fetchall()


def stream(
    connection: psycopg.Connection, name: str, at_once: int, /, **parameters: Any
) -> Iterator[list[dict[str, Any]]]:
    """The rows of a named query, `at_once` at a time, as they are in one moment; they are never all in memory.

    Args:
        connection: a session in a transaction, that lasts until the last of them was taken.

    Raises:
        NotBuilt: see `rows`.
    """
    query = named(name)
    with connection.cursor(name, row_factory=dict_row) as cursor, _built(query):
        cursor.execute(query.sql, parameters)
        while found := cursor.fetchmany(at_once):
            yield found


@contextmanager
def _built(query: Query) -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction) as error:
        if "gold." in query.sql:
            raise NotBuilt("nothing was built yet: run `outlay build`") from error
        raise
