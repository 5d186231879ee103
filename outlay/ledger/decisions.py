"""What live knows of an event, read under row-level security."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Decision = Literal["accepted", "duplicate", "stale", "pending"]
_FIRST_LOOK, _LONGEST_PAUSE = 0.002, 0.02  # seconds


@dataclass(frozen=True)
class First:
    """The first sight of an event: where it stands, what was decided, and its own fields."""

    event_id: UUID
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


def first_sights(
    connection: psycopg.Connection, workspace_id: UUID, event_ids: Iterable[UUID]
) -> dict[UUID, list[First]]:
    """The first sights of events, one at each thing that carries the event; what live does not know has no entry."""
    found: dict[UUID, list[First]] = {}
    with connection.cursor(row_factory=class_row(First)) as cursor:
        for first in cursor.execute(
            'SELECT event_id, topic, partition, "offset", entity, entity_id, version, decision, state FROM live.events '
            "WHERE workspace_id = %s AND event_id = ANY(%s) AND decision <> 'duplicate' ORDER BY committed_at",
            (workspace_id, list(event_ids)),
        ):
            found.setdefault(first.event_id, []).append(first)
    return found


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


def await_live(
    connection: psycopg.Connection, topic: str, ends: Mapping[int, int], *, seconds: float
) -> dict[int, int]:
    """Where live stands once it has reached `ends` (partition -> next offset), or after so many seconds."""
    deadline, pause = time.monotonic() + seconds, _FIRST_LOOK
    while behind(reached := positions(connection, topic), ends) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return reached
