"""Dead letters as the database keeps them: reading them, and writing what became of them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

from ingestion.place import Place

State = Literal["open", "retried", "discarded"]
Headers = Sequence[tuple[str, bytes | None]]

REFUSED_BY_POSTGRESQL = "PostgreSQL refused it: "
"""How the reason of a letter begins that could be read and not be stored."""

_WHO, _WHY = 200, 2_000  # characters
_SUMMARY = (
    'topic, topic_id, partition, "offset", logged_at, reason, created_at, state, published_at, '
    "octet_length(value) AS size, retried_at, retried_by, retried_topic_id, retried_partition, retried_offset, "
    "discarded_at, discarded_by, discard_reason"
)
_AS_THEY_ARE = ("topic_id", "logged_at", "size", "reason", "created_at", "state", "published_at")
_KEY = '(topic_id, partition, "offset") = (%(topic_id)s, %(partition)s, %(offset)s)'


class NoSuchLetter(LookupError):
    """No dead letter stands at the place."""

    def __init__(self, place: Place):
        super().__init__(
            f"no dead letter stands at {place}: `outlay dead-letters list --state all` shows where they do"
        )


class Busy(RuntimeError):
    """Somebody else decides on the letter at this moment."""

    def __init__(self, place: Place):
        super().__init__(f"somebody else is retrying or discarding {place} at this moment: look again with show")


@dataclass(frozen=True)
class Retry:
    """Where a letter's event stands now, and who brought it there."""

    at: datetime
    by: str
    place: Place
    topic_id: str


@dataclass(frozen=True)
class Discard:
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """One message that live could not take: where it stood in the log, why, and what became of it.

    `size` is its value's length in bytes, None for a null value.
    """

    place: Place
    topic_id: str
    logged_at: datetime
    size: int | None
    reason: str
    created_at: datetime
    state: State
    published_at: datetime | None
    retried: Retry | None
    discarded: Discard | None


@dataclass(frozen=True)
class Letter(Summary):
    """The same with the message itself, byte by byte."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def find(connection: psycopg.Connection, place: Place) -> Letter:
    """The letter at the place; of a topic that was created again, the one of the newest topic.

    Raises:
        NoSuchLetter: there is none.
    """
    found = _letters(
        connection,
        'WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" = %(offset)s '
        "ORDER BY created_at DESC LIMIT 1",
        place._asdict(),
    )
    if not found:
        raise NoSuchLetter(place)
    return found[0]


def newest(
    connection: psycopg.Connection, *, topic: str | None = None, state: State | None = "open", limit: int = 50
) -> list[Letter]:
    """At most `limit` letters, newest first; of every topic and state where none is named."""
    wanted = {"topic": topic, "state": state}
    return _letters(
        connection,
        f'WHERE {_where(wanted)} ORDER BY created_at DESC, topic_id, partition, "offset" LIMIT %(limit)s',
        {**wanted, "limit": limit},
    )


def open_places(connection: psycopg.Connection, topic: str | None = None) -> list[Place]:
    """Every open letter's place, in the order of the log."""
    wanted = {"topic": topic, "state": "open"}
    rows = connection.execute(
        f'SELECT topic, partition, "offset" FROM live.dead_letters WHERE {_where(wanted)} '  # noqa: S608
        'ORDER BY topic, partition, "offset"',
        wanted,
    )
    return [Place(*row) for row in rows]


def open_letters(connection: psycopg.Connection) -> dict[str, int]:
    """How many letters of each topic wait for somebody's decision; topics without any are absent."""
    rows = connection.execute(
        "SELECT topic, count(*) FROM live.dead_letters WHERE state = 'open' GROUP BY topic ORDER BY topic"
    )
    return dict(rows.fetchall())


def unpublished(
    connection: psycopg.Connection, *, after: tuple[str, int, int] | None = None, limit: int = 50
) -> list[Letter]:
    """At most `limit` letters that the relay has yet to publish, in the order of the log.

    Args:
        after: only those beyond this (topic_id, partition, offset).
    """
    return _letters(
        connection,
        'WHERE published_at IS NULL AND (topic_id, partition, "offset") > (%s, %s, %s) '
        'ORDER BY topic_id, partition, "offset" LIMIT %s',
        (*(after or ("", -1, -1)), limit),
    )


def mark_published(connection: psycopg.Connection, letters: Sequence[Letter]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE live.dead_letters SET published_at = clock_timestamp() WHERE {_KEY} AND published_at IS NULL",  # noqa: S608
            [_key(letter) for letter in letters],
        )


def locked(connection: psycopg.Connection, letter: Letter) -> Letter:
    """The letter as it is now, for this transaction alone until it ends.

    Raises:
        Busy: another transaction has held it for more than a second.
    """
    try:
        connection.execute("SET LOCAL lock_timeout = '1s'")
        [now] = _letters(connection, f"WHERE {_KEY} FOR UPDATE", _key(letter))
    except psycopg.errors.LockNotAvailable:
        raise Busy(letter.place) from None
    return now


def mark_retried(connection: psycopg.Connection, letter: Letter, *, place: Place, topic_id: str, by: str) -> None:
    """Say where the letter's event stands now. The caller holds the letter's lock."""
    connection.execute(
        "UPDATE live.dead_letters SET retried_at = clock_timestamp(), retried_by = %(by)s, "  # noqa: S608
        "retried_topic_id = %(new_topic_id)s, retried_partition = %(new_partition)s, retried_offset = %(new_offset)s "
        f"WHERE {_KEY} AND retried_at IS NULL",
        _key(letter)
        | {"by": by[:_WHO], "new_topic_id": topic_id, "new_partition": place.partition, "new_offset": place.offset},
    )


def mark_discarded(connection: psycopg.Connection, letter: Letter, *, by: str, reason: str) -> None:
    """Say that nobody needs the letter. The caller holds the letter's lock."""
    connection.execute(
        "UPDATE live.dead_letters SET discarded_at = clock_timestamp(), discarded_by = %(by)s, "  # noqa: S608
        f"discard_reason = %(reason)s WHERE {_KEY} AND discarded_at IS NULL",
        _key(letter) | {"by": by[:_WHO], "reason": reason[:_WHY]},
    )


def is_letter(connection: psycopg.Connection, topic_id: str, place: Place) -> bool:
    """Whether what stands there became a dead letter."""
    at = {"topic_id": topic_id, "partition": place.partition, "offset": place.offset}
    return connection.execute(f"SELECT FROM live.dead_letters WHERE {_KEY}", at).fetchone() is not None


def _letters(connection: psycopg.Connection, which: str, values: Any) -> list[Letter]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"SELECT {_SUMMARY}, key, value, headers FROM live.dead_letters {which}", values)  # noqa: S608
        return [
            Letter(
                **_summary(row),
                key=row["key"],
                value=row["value"],
                headers=[(name, None if value is None else b64decode(value)) for name, value in row["headers"]],
            )
            for row in rows
        ]


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    retried, topic = row["retried_at"], row["topic"]
    return {
        "place": Place(topic, row["partition"], row["offset"]),
        "retried": retried
        and Retry(
            retried,
            row["retried_by"],
            Place(topic, row["retried_partition"], row["retried_offset"]),
            row["retried_topic_id"],
        ),
        "discarded": row["discarded_at"] and Discard(row["discarded_at"], row["discarded_by"], row["discard_reason"]),
    } | {name: row[name] for name in _AS_THEY_ARE}


def _key(letter: Letter) -> dict[str, Any]:
    return {"topic_id": letter.topic_id, "partition": letter.place.partition, "offset": letter.place.offset}


def _where(wanted: dict[str, str | None]) -> str:
    return " AND ".join(f"{name} = %({name})s" for name, value in wanted.items() if value) or "true"
