"""What PostgreSQL's catalogue says of `live`, so that its twin is made of that and of nothing written down twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row, scalar_row

from ingestion import named

SQL = named.statements(Path(__file__).with_suffix(".sql"))

Description = Mapping[tuple[str, str], str]
"""(table, part) to what the catalogue says of the part, the names of its tables as if the schema were ``live``."""


class Dependent(NamedTuple):
    """A view (`kind` ``v``), materialised view (``m``) or function (``f``) that holds a table by its number."""

    oid: int
    kind: str
    name: str
    definition: str
    reloptions: Sequence[str] | None


@contextmanager
def qualified(connection: psycopg.Connection) -> Iterator[None]:
    """A transaction, or a savepoint of one, in which the catalogue gives every name with its schema."""
    with connection.transaction():
        [before] = connection.execute("SELECT current_setting('search_path')").fetchone()
        connection.execute("SET LOCAL search_path = ''")
        yield
        connection.execute("SELECT set_config('search_path', %s, true)", (before,))


def tables(connection: psycopg.Connection, schema: str) -> list[str]:
    return _scalars(connection, "tables", schema=schema)


def views(connection: psycopg.Connection, schema: str) -> list[Any]:
    """(relname, definition, reloptions) of each view, names qualified."""
    return _rows(connection, "views", schema=schema)


class Making(NamedTuple):
    """The statements that make the tables of a schema again: themselves, their indexes, and what is laid on them."""

    tables: list[str]
    indexes: list[str]
    rest: list[str]


def making(connection: psycopg.Connection, schema: str, twin: str) -> Making:
    """The statements that make the tables of `schema`, empty, in `twin`. Names are qualified."""
    names = [*tables(connection, schema), *(view.relname for view in views(connection, schema))]
    made = _rows(connection, "make", schema=schema, twin=twin)
    return Making(
        # The first step names both schemas on purpose; what comes later speaks of the twin alone.
        [row.statement for row in made if row.step == 1],
        [retargeted(row.statement, names, schema, twin) for row in made if row.step == 2],
        [retargeted(row.statement, names, schema, twin) for row in made if row.step > 2],
    )


def vacuuming(connection: psycopg.Connection, schema: str, twin: str) -> list[str]:
    """The statements that have the tables of `twin` vacuumed as those of `schema` are."""
    return _scalars(connection, "vacuuming", schema=schema, twin=twin)


def describe(connection: psycopg.Connection, schema: str) -> Description:
    """Everything of the tables of a schema that a reader, a writer or the planner could notice."""
    with qualified(connection):
        names = [*tables(connection, schema), *(view.relname for view in views(connection, schema))]
        return {
            (row.relname, row.what): retargeted(row.definition, names, schema, "live")
            for row in _rows(connection, "describe", schema=schema)
        }


def differences(one: Description, other: Description) -> list[str]:
    """What differs, such as ``events index events_entity``."""
    return [" ".join(part) for part in sorted({*one, *other}) if one.get(part) != other.get(part)]


def dependents(connection: psycopg.Connection, schema: str) -> list[Dependent]:
    """Views and functions of any schema that hold a table of `schema` by its number. Names are qualified."""
    with qualified(connection):
        return [Dependent(*row) for row in _rows(connection, "dependents", schema=schema)]


def columns(connection: psycopg.Connection, table: str) -> list[str]:
    """The columns whose values follow from the log."""
    return _scalars(connection, "columns", table=table)


def documents(connection: psycopg.Connection, table: str) -> list[str]:
    """The columns that hold JSON."""
    return _scalars(connection, "documents", table=table)


def written_later(connection: psycopg.Connection, table: str) -> list[str]:
    """The columns whose values do not: a clock's time, and what people decided."""
    return _scalars(connection, "written_later", table=table)


def key(connection: psycopg.Connection, table: str) -> list[str]:
    """The columns of the primary key."""
    return _scalars(connection, "key", table=table)


def retargeted(text: str, names: Sequence[str], schema: str, other: str) -> str:
    """The text with the names of `schema` that are listed, and no others, moved to the schema `other`."""
    listed = "|".join(re.escape(name) for name in names)
    return re.sub(rf"(?<![\w.\"])({re.escape(schema)})\.({listed})(?!\w)", rf"{other}.\2", text) if names else text


def _rows(connection: psycopg.Connection, name: str, **values: str) -> list[Any]:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(SQL[name], values).fetchall()


def _scalars(connection: psycopg.Connection, name: str, **values: str) -> list[str]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(SQL[name], values).fetchall()
