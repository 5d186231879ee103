"""What became of dead letters is not in the log: it is carried over from `live`."""

from __future__ import annotations

import psycopg
from psycopg import sql

from ingestion.replay import catalogue
from ingestion.replay.errors import ReplayError
from ingestion.replay.twin import LIVE, TWIN

_TABLE = "dead_letters"


def carry_over(connection: psycopg.Connection) -> int:
    """Give the twin's letters what the same letters of live have beside the message; returns how many changed.

    That is when they were found, when they were published, and what people decided.

    Raises:
        ReplayError: somebody decided on a letter that the twin holds as an event.
    """
    live, twin = sql.Identifier(LIVE, _TABLE), sql.Identifier(TWIN, _TABLE)
    same = sql.SQL(" AND ").join(
        sql.SQL("t.{0} = l.{0}").format(sql.Identifier(name)) for name in catalogue.key(connection, f"{LIVE}.{_TABLE}")
    )
    lost = connection.execute(
        sql.SQL(
            "SELECT count(*) FROM {} AS l WHERE l.state <> 'open' AND NOT EXISTS (SELECT FROM {} AS t WHERE {})"
        ).format(live, twin, same)
    ).fetchone()[0]
    if lost:
        raise ReplayError(
            f"{lost} dead letters were retried or discarded while the replay ran, which had read them as events: "
            "run the replay again"
        )
    names = [sql.Identifier(name) for name in catalogue.written_later(connection, f"{LIVE}.{_TABLE}")]
    ours, theirs = (sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.SQL(a), n) for n in names) for a in ("t", "l"))
    return connection.execute(
        sql.SQL("UPDATE {} AS t SET ({}) = ROW({}) FROM {} AS l WHERE {} AND ROW({}) IS DISTINCT FROM ROW({})").format(
            twin, sql.SQL(", ").join(names), theirs, live, same, ours, theirs
        )
    ).rowcount
