"""How many rows tables hold: counted while they are few, and PostgreSQL's own estimate beyond, so that no table is
scanned to tell its size.
"""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg import sql

COUNTED = 10_000
"""Rows up to which a table is counted."""

Table = tuple[str, str]
"""A schema's name and a table's in it."""

_TABLES = """
    SELECT nspname, relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND (nspname, relname) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""


def row_counts(connection: psycopg.Connection, named: Collection[Table]) -> dict[Table, int]:
    """The rows of each of the tables; what is no table, such as a view, is left out."""
    tables = connection.execute(_TABLES, ([schema for schema, _ in named], [table for _, table in named])).fetchall()
    return {table: _rows(connection, sql.Identifier(*table)) for table in tables}


def _rows(connection: psycopg.Connection, table: sql.Identifier) -> int:
    (plan,) = connection.execute(sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {}").format(table)).fetchone()
    estimated = round(plan[0]["Plan"]["Plan Rows"])
    if estimated > COUNTED:
        return estimated
    few = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS few").format(table, COUNTED + 1)
    (counted,) = connection.execute(few).fetchone()
    return counted
