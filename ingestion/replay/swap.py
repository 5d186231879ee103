"""The twin takes the place of `live`, in one transaction, while others read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import errors as pg
from psycopg import sql

from ingestion.replay import catalogue, letters, standing, twin
from ingestion.replay.catalogue import Dependent
from ingestion.replay.errors import ReplayError
from ingestion.replay.loader import Loader
from ingestion.replay.twin import LIVE, TWIN

REPLACED = "replaced"
"""The schema of the tables that were live, until they are dropped."""

_LAST = 1_000  # offsets that may be left to read while the projector waits
_PAUSED = 2.0  # seconds that it may have to wait for them
_LOCK = "500ms"  # that others queue behind us, at most, when somebody reads for long
_DETECT = "200ms"  # of waiting, after which PostgreSQL ends an automatic vacuum that is in the way; usually a second
_ASK_VACUUMS_TO_GO = """
SELECT set_config('deadlock_timeout', %s, true) WHERE has_parameter_privilege('deadlock_timeout', 'SET')
"""


class NotYet(Exception):
    """The swap was not possible at this moment, and was rolled back. The message says why."""


def refuse_what_cannot_follow(connection: psycopg.Connection) -> None:
    """Raises:
    ReplayError: a materialised view reads `live`: it cannot be made again without being emptied.
    """
    stuck = [each.name for each in catalogue.dependents(connection, LIVE) if each.kind not in "vf"]
    if stuck:
        raise ReplayError(
            f"the materialised views {', '.join(stuck)} read {LIVE}: drop them, and make them again after"
        )


def swap(connection: psycopg.Connection, loader: Loader, *, level: datetime, keep: bool) -> str:
    """Bring the twin level with live and put it in its place; returns the schema that the old tables are in then.

    The projector waits at `live.offsets` from the first lock on. Everybody else waits only for the last part, which
    takes milliseconds.

    Args:
        connection: as the owner, in autocommit.
        level: when the twin was last known to hold what live did. A snapshot from before would not show it whole.
        keep: whether the old tables' schema gets a name of its own, which the next replay leaves alone.

    Raises:
        NotYet: somebody reads for long, or live has moved on too far. Nothing was changed.
        ReplayError: it can never succeed. Nothing was changed.
    """
    with connection.transaction():
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK)))
        connection.execute(_ASK_VACUUMS_TO_GO, (_DETECT,))
        _lock(connection, "live.offsets", mode="EXCLUSIVE")
        _read_the_last(connection, loader)
        _no_older_snapshots(connection, level)
        # Views first: who waits for one finds its new definition, who waits for its table would look for the old one.
        held = catalogue.dependents(connection, LIVE)
        for name in [each.name for each in held if each.kind == "v"]:
            _lock(connection, name)
        for schema in (LIVE, TWIN):
            for table in catalogue.tables(connection, schema):
                _lock(connection, f"{schema}.{table}")
        held = _still(held, connection)
        letters.carry_over(connection)
        twin.wake(connection)
        twin.check(connection)
        _same_offsets(connection)
        _keep_fencings(connection)
        old = f"{REPLACED}_{datetime.now(UTC):%Y%m%dt%H%M%Sz}" if keep else REPLACED
        _move(connection, held, old)
        _nothing_left_behind(connection, old)
        _about_to_commit()
    return old


def _read_the_last(connection: psycopg.Connection, loader: Loader) -> None:
    target = standing.positions(connection)
    if loader.behind(target) > _LAST:
        raise NotYet(f"live is {loader.behind(target):,} offsets ahead")
    if not loader.load(target, within=_PAUSED):
        raise NotYet(f"the last offsets took more than {_PAUSED:.0f} s to read")


def _no_older_snapshots(connection: psycopg.Connection, level: datetime) -> None:
    """A transaction that keeps its first snapshot would find rows missing in tables that were filled after it."""
    older = connection.execute(
        "SELECT pid, application_name, xact_start FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL "
        "AND xact_start < %s ORDER BY xact_start LIMIT 1",
        (level,),
    ).fetchone()
    if older:
        raise NotYet(f"the session {older[0]} ({older[1]}) has been in a transaction since {older[2]:%H:%M:%S}")


def _lock(connection: psycopg.Connection, name: str, *, mode: str = "ACCESS EXCLUSIVE") -> None:
    try:
        connection.execute(f"LOCK TABLE {name} IN {mode} MODE")
    except (pg.LockNotAvailable, pg.DeadlockDetected):
        raise NotYet(f"somebody was using {name} for more than {_LOCK}") from None


def _still(held: Sequence[Dependent], connection: psycopg.Connection) -> Sequence[Dependent]:
    """What depends on the tables now that nobody can change it any more."""
    now = catalogue.dependents(connection, LIVE)
    if {each.oid for each in now} != {each.oid for each in held}:
        raise NotYet("a view or function was made or dropped at this moment")
    return now


def _same_offsets(connection: psycopg.Connection) -> None:
    differ = connection.execute(
        f"SELECT count(*) FROM {LIVE}.offsets AS l FULL JOIN {TWIN}.offsets AS t USING (topic, topic_id, partition) "  # noqa: S608
        "WHERE l.next_offset IS DISTINCT FROM t.next_offset"
    ).fetchone()[0]
    if differ:
        raise ReplayError(f"{TWIN}.offsets differs from {LIVE}.offsets in {differ} partitions: run the replay again")


def _keep_fencings(connection: psycopg.Connection) -> None:
    """They are not in the log."""
    connection.execute(
        f"UPDATE {TWIN}.offsets AS t SET fencings = l.fencings FROM {LIVE}.offsets AS l "  # noqa: S608
        "WHERE (t.topic, t.topic_id, t.partition) = (l.topic, l.topic_id, l.partition) AND l.fencings > 0"
    )


def _move(connection: psycopg.Connection, held: Sequence[Dependent], old: str) -> None:
    """Exchange the tables, and point at the new ones what held the old ones by their numbers."""
    tables = catalogue.tables(connection, LIVE)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(old)))
    for view in reversed(catalogue.views(connection, TWIN)):
        connection.execute(sql.SQL("DROP VIEW IF EXISTS {} CASCADE").format(sql.Identifier(TWIN, view.relname)))
    for origin, to in ((LIVE, old), (TWIN, LIVE)):
        for table in tables:
            connection.execute(
                sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(sql.Identifier(origin, table), sql.Identifier(to))
            )
    for each in held:
        if each.kind == "v":
            connection.execute(twin.view_statement(each.name, each.definition, each.reloptions))
        else:
            connection.execute(each.definition)
    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(TWIN)))


def _nothing_left_behind(connection: psycopg.Connection, old: str) -> None:
    """Nobody may hold an old table: neither in a way that `_move` does not know, nor in one that it has failed at."""
    names = sql.SQL(", ").join(sql.Identifier(old, table) for table in catalogue.tables(connection, old))
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("DROP TABLE {}").format(names))
    except pg.DependentObjectsStillExist as error:
        raise ReplayError(
            f"something outside {LIVE} holds its tables and cannot follow: "
            f"{twin.dependents_line(error).replace(f'{old}.', f'{LIVE}.')}. Drop it, and make it again after"
        ) from error


def _about_to_commit() -> None:
    """Where a test kills the replay."""


def drop_replaced(connection: psycopg.Connection, *, patience: float = 30) -> bool:
    """Drop the old tables once nobody reads them any more; False when somebody still did after `patience` seconds.

    Then the next replay drops them. Who waited for an old table while it was swapped reads it once, whole.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_LOCK)))
                twin.drop(connection, REPLACED)
            return True
        except (pg.LockNotAvailable, pg.DeadlockDetected):
            if time.monotonic() > deadline:
                return False
            time.sleep(1)
