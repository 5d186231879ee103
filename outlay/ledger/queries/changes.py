"""What changed in a workspace since a reader looked last: by places in the log, so that nothing is missed."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg

from outlay.ledger.queries import cursors, rows
from outlay.ledger.queries.cursors import BadCursor
from outlay.ledger.queries.expenses import Expense, Line, lines_of, some

Place = dict[tuple[str, int], int]
"""(topic id, partition) -> the offset to go on from."""


class CursorGone(Exception):
    """The log has not been read as far as the cursor says: this is another log, or live is made anew."""


@dataclass(frozen=True)
class Changed:
    """A page: transactions that changed, each once and as it is now, in the order of their last change on the page."""

    expenses: list[Expense]
    lines: dict[UUID, list[Line]]
    """The parts of those that have more than one."""
    cursor: str
    """Of what comes after."""
    more: bool
    """Whether something does already."""


def now(connection: psycopg.Connection) -> str:
    """The cursor of what comes after all that live has read."""
    return _write({(row["topic_id"], row["partition"]): row["next_offset"] for row in rows(connection, "log_places")})


def check(connection: psycopg.Connection, cursor: str) -> None:
    """Whether `since` can go on from a cursor.

    Raises:
        BadCursor, CursorGone: as of `since`.
    """
    _check(connection, _read(cursor))


def since(connection: psycopg.Connection, cursor: str | None, *, size: int = 500) -> Changed:
    """What changed in the session's workspace behind a cursor; from its first transaction on without one.

    Args:
        size: events looked at, at most.

    Raises:
        BadCursor: this list did not give it out.
        CursorGone: live stands before it, so that nobody knows what came since.
    """
    place = _read(cursor)
    _check(connection, place)
    found = rows(
        connection,
        "expense_changes",
        topic_ids=[topic_id for topic_id, _ in place],
        partitions=[partition for _, partition in place],
        offsets=list(place.values()),
        size=size + 1,
    )
    page = found[:size]
    order: dict[UUID, int] = {}
    for number, row in enumerate(page):
        place[row["topic_id"], row["partition"]] = row["offset"] + 1
        order[row["transaction_id"]] = number
    expenses = sorted(some(connection, list(order)), key=lambda expense: order[expense.transaction_id])
    return Changed(expenses, lines_of(connection, list(order)), _write(place), len(found) > size)


def _check(connection: psycopg.Connection, place: Place) -> None:
    if not place:
        return
    live = {(row["topic_id"], row["partition"]): row["next_offset"] for row in rows(connection, "log_places")}
    if any(offset > live.get(where, 0) for where, offset in place.items()):
        raise CursorGone("the live view was made anew from an older state: read everything again, without a cursor")


def _write(place: Place) -> str:
    return cursors.written([[*where, offset] for where, offset in place.items()])


def _read(cursor: str | None) -> Place:
    if not cursor:
        return {}
    with cursors.reading():
        found = [(str(topic_id), int(partition), int(offset)) for topic_id, partition, offset in cursors.read(cursor)]
    for topic_id, partition, offset in found:
        if not (topic_id.isprintable() and 0 <= partition < 2**31 and 0 <= offset < 2**63):
            raise BadCursor("expected a cursor that this list gave out; start again without one")
    return {(topic_id, partition): offset for topic_id, partition, offset in found}
