"""What live knows of an event, read as the app under row-level security."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
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


def current_transaction(connection: psycopg.Connection, transaction_id: UUID) -> dict[str, Any] | None:
    """The whole current state as the arguments of `events.transaction`, without the envelope but external_id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        state = cursor.execute(
            "SELECT workspace_id, transaction_id, version, operation, kind, status, account_id, occurred_on, "
            "occurred_at_local, posted_on, amount, currency, merchant, description, counterparty, category_id, "
            "category_source, category_confidence, decided_by, mcc, note, tags, refund_of, transfer_pair, attachments, "
            "import_id, external_id FROM live.transactions WHERE transaction_id = %s "
            "AND workspace_id = live.current_workspace()",
            (transaction_id,),
        ).fetchone()
        if state is None:
            return None
        state["lines"] = cursor.execute(
            "SELECT line_id, category_id, amount, note FROM live.transaction_lines WHERE transaction_id = %s "
            "AND workspace_id = live.current_workspace() ORDER BY line_no",
            (transaction_id,),
        ).fetchall()
    for attachment in state["attachments"]:
        attachment["attachment_id"] = UUID(attachment["attachment_id"])
    return state
