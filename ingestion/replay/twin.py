"""The twin of `live`: the same tables and views, empty, in the schema `replay`."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ingestion.replay import catalogue, sessions
from ingestion.replay.errors import ReplayError

LIVE, TWIN = "live", "replay"


def create(connection: psycopg.Connection) -> None:
    """Make the twin's tables and views from what the catalogue says of `live`, without indexes, policies and rights.

    No automatic vacuum begins until `wake`: it would read what is being written, and hold up the swap.
    """
    with connection.transaction():
        connection.execute(f"CREATE SCHEMA {TWIN}")
        with catalogue.qualified(connection):
            for statement in catalogue.making(connection, LIVE, TWIN).tables:
                connection.execute(statement)
            _create_views(connection)
        _put_to_sleep(connection)


def wake(connection: psycopg.Connection) -> None:
    """Let the twin be vacuumed as the tables of `live` are."""
    for statement in catalogue.vacuuming(connection, LIVE, TWIN):
        connection.execute(statement)


def index(dsn: str, connection: psycopg.Connection, *, beside: Sequence[str] = ()) -> None:
    """Make the indexes that the tables of `live` have, one for each processor at once.

    Args:
        beside: statements to execute at the same time.

    Raises:
        ReplayError: a place of the log is in the twin twice.
    """
    with catalogue.qualified(connection):
        statements = catalogue.making(connection, LIVE, TWIN).indexes
    try:
        sessions.each(dsn, [*beside, *statements], "SET maintenance_work_mem = '256MB'")
    except pg.UniqueViolation as error:
        raise ReplayError(
            f"bronze holds a place of the log twice ({error.diag.message_detail}): `outlay bronze audit`"
        ) from error


def complete(dsn: str, connection: psycopg.Connection) -> None:
    """Lay on the twin's tables all else that those of `live` have, and give the planner their statistics.

    Raises:
        ReplayError: it did not become the same, and the message names what differs.
    """
    tables = catalogue.tables(connection, TWIN)
    with connection.transaction():
        with catalogue.qualified(connection):
            for statement in catalogue.making(connection, LIVE, TWIN).rest:
                connection.execute(statement)
        wake(connection)
        check(connection)
        _put_to_sleep(connection)
    sessions.each(dsn, [f"ANALYZE {TWIN}.{table}" for table in tables])


def check(connection: psycopg.Connection) -> None:
    """Raises:
    ReplayError: the twin's tables are not made as those of `live` are.
    """
    found = catalogue.differences(catalogue.describe(connection, LIVE), catalogue.describe(connection, TWIN))
    if found:
        raise ReplayError(
            f"the tables of {LIVE} cannot be swapped: their twins in {TWIN} would differ in {', '.join(found[:20])}"
            + (f" and {len(found) - 20} more" if len(found) > 20 else "")
            + ". Was the schema changed by hand, or migrated meanwhile? Then run the replay again"
        )


def drop(connection: psycopg.Connection, schema: str = TWIN) -> None:
    """Drop a schema that replays make, with what they put there and nothing outside.

    Raises:
        ReplayError: something outside depends on it.
    """
    name = sql.Identifier(schema)
    with connection.transaction():
        if connection.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,):
            return
        views = [sql.Identifier(schema, view.relname) for view in catalogue.views(connection, schema)]
        tables = [sql.Identifier(schema, table) for table in catalogue.tables(connection, schema)]
        try:
            for kind, names in (("VIEW", views), ("TABLE", tables)):
                if names:
                    listed = sql.SQL(", ").join(names)
                    connection.execute(sql.SQL("DROP {} {}").format(sql.SQL(kind), listed))
            connection.execute(sql.SQL("DROP SCHEMA {}").format(name))
        except pg.DependentObjectsStillExist as error:
            raise ReplayError(f"the schema {schema} cannot be dropped: {dependents_line(error)}") from error


def dependents_line(error: psycopg.Error) -> str:
    return "; ".join((error.diag.message_detail or str(error)).splitlines())


def _put_to_sleep(connection: psycopg.Connection) -> None:
    for table in catalogue.tables(connection, TWIN):
        connection.execute(f"ALTER TABLE {TWIN}.{table} SET (autovacuum_enabled = off)")


def _create_views(connection: psycopg.Connection) -> None:
    """In the order that they need: a view may read views."""
    waiting = catalogue.views(connection, LIVE)
    names = [*catalogue.tables(connection, LIVE), *(view.relname for view in waiting)]
    while waiting:
        left = []
        for view in waiting:
            definition = catalogue.retargeted(view.definition, names, LIVE, TWIN)
            try:
                with connection.transaction():
                    connection.execute(view_statement(f"{TWIN}.{view.relname}", definition, view.reloptions))
            except pg.UndefinedTable:
                left.append(view)
        if len(left) == len(waiting):
            raise ReplayError(f"the views {', '.join(view.relname for view in left)} of {LIVE} cannot be made again")
        waiting = left


def view_statement(name: str, definition: str, reloptions: list[str] | None) -> str:
    options = f" WITH ({', '.join(reloptions)})" if reloptions else ""
    return f"CREATE OR REPLACE VIEW {name}{options} AS {definition}"
