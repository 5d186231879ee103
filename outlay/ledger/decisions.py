"""What live knows of an event, read under row-level security."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

Decision = Literal["accepted", "duplicate", "stale", "pending"]
_FIRST_LOOK, _LONGEST_PAUSE = 0.002, 0.02  # seconds


@dataclass(frozen=True)
class First:
    """The first sight of an event: where it stands, what was decided, and its own fields."""

    topic: str
    partition: int
    offset: int
    entity: str
    entity_id: UUID
    version: int
    decision: Decision
    state: dict[str, Any]


def see(connection: psycopg.Connection, workspace_id: UUID) -> None:
    """Let the session see this workspace and no other, from now on."""
    connection.execute("SELECT set_config('outlay.workspace_id', %s, false)", (str(workspace_id),))


def first_sights(connection: psycopg.Connection, workspace_id: UUID, event_id: UUID) -> list[First]:
    """The first sight of `event_id` at each thing that carries it; empty when live does not know it."""
    with connection.cursor(row_factory=class_row(First)) as cursor:
        return cursor.execute(
            'SELECT topic, partition, "offset", entity, entity_id, version, decision, state FROM live.events '
            "WHERE workspace_id = %s AND event_id = %s AND decision <> 'duplicate' ORDER BY committed_at",
            (workspace_id, event_id),
        ).fetchall()


def decisions(connection: psycopg.Connection, workspace_id: UUID, event_ids: Iterable[UUID]) -> dict[UUID, Decision]:
    """The decision on each event's first sight, of those that live knows."""
    see(connection, workspace_id)
    rows = connection.execute(
        "SELECT event_id, decision FROM live.events "
        "WHERE workspace_id = %s AND event_id = ANY(%s) AND decision <> 'duplicate'",
        (workspace_id, list(event_ids)),
    )
    return dict(rows.fetchall())


def positions(connection: psycopg.Connection, topic: str) -> dict[int, int]:
    """Partition -> the next offset that live will read."""
    rows = connection.execute("SELECT partition, next_offset FROM live.offsets WHERE topic = %s", (topic,))
    return dict(rows.fetchall())


def behind(live: Mapping[int, int], ends: Mapping[int, int]) -> int:
    """How many offsets live has yet to read to reach `ends` (partition -> next offset)."""
    return sum(max(0, end - live.get(partition, 0)) for partition, end in ends.items())


def await_decision(connection: psycopg.Connection, topic: str, partition: int, offset: int, *, seconds: float) -> bool:
    """Whether live passes the offset within `seconds`."""
    deadline, pause = time.monotonic() + seconds, _FIRST_LOOK
    while positions(connection, topic).get(partition, 0) <= offset:
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return True


STATE = (
    "workspace_id, transaction_id, version, operation, kind, status, account_id, occurred_on, occurred_at_local, "
    "posted_on, amount, currency, merchant, description, counterparty, category_id, category_source, "
    "category_confidence, decided_by, mcc, note, tags, refund_of, transfer_pair, attachments, import_id, external_id"
)
"""Columns of `live.transactions` that a transaction's next version goes on from; its lines have their own table."""


def current_transaction(connection: psycopg.Connection, transaction_id: UUID) -> dict[str, Any] | None:
    """The whole current state as the arguments of `events.transaction`, without the envelope but external_id."""
    found = current_transactions(connection, "transaction_id = %(transaction_id)s", transaction_id=transaction_id)
    return found[0] if found else None


def current_transactions(
    connection: psycopg.Connection, where: LiteralString, *, also: LiteralString = "", **parameters: Any
) -> list[dict[str, Any]]:
    """The whole current states of the session's workspace that a condition holds for.

    Args:
        where: SQL, with what may follow a condition.
        also: further columns of `live.transactions`, each after a comma.
    """
    query = f"SELECT {STATE}{also} FROM live.transactions WHERE workspace_id = live.current_workspace() AND {where}"  # noqa: S608
    with connection.cursor(row_factory=dict_row) as cursor:
        states = cursor.execute(query, parameters).fetchall()
        lines = cursor.execute(
            "SELECT transaction_id, line_id, category_id, amount, note FROM live.transaction_lines "
            "WHERE workspace_id = live.current_workspace() AND transaction_id = ANY(%s) ORDER BY line_no",
            ([state["transaction_id"] for state in states],),
        ).fetchall()
    by_transaction: dict[UUID, list[dict[str, Any]]] = {state["transaction_id"]: [] for state in states}
    for line in lines:
        by_transaction[line.pop("transaction_id")].append(line)
    for state in states:
        state["lines"] = by_transaction[state["transaction_id"]]
        for attachment in state["attachments"]:
            attachment["attachment_id"] = UUID(attachment["attachment_id"])
    return states
