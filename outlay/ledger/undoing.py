"""Giving back what one run of amendments changed: each transaction's fields as they were before, as an amendment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ingestion.events import derived_id
from outlay import money
from outlay.db import session
from outlay.ledger import amendments
from outlay.ledger.amendments import Page, by_rule, has_no_next, pages
from outlay.ledger.commands import Appended, Ledger, Progress
from outlay.ledger.drafts import ruled
from outlay.ledger.states import current_transactions
from outlay.ledger.workspaces import Workspace

_OF_RUN = """
    SELECT e.entity_id AS transaction_id, e.event_id, b.state AS before
    FROM live.events AS e
    INNER JOIN LATERAL (
        SELECT p.state FROM live.events AS p
        WHERE p.workspace_id = e.workspace_id AND p.entity_id = e.entity_id AND p.version < e.version
            AND p.entity = 'transaction' AND p.decision = 'accepted'
        ORDER BY p.version DESC LIMIT 1
    ) AS b ON true
    WHERE e.workspace_id = live.current_workspace() AND e.entity_id > %(after)s AND e.correlation_id = %(run)s
        AND e.entity = 'transaction' AND e.decision = 'accepted' AND e.operation = 'amended' AND e.source = 'rule'
    ORDER BY e.entity_id LIMIT %(page)s
"""
"""What a run changed, by which event, and the state before. No index has runs: all events of the workspace are read."""

_IDS = ("refund_of", "transfer_pair")
_FIELDS = (*_IDS, "kind", "category_id", "category_source", "category_confidence", "decided_by")
"""What `linking` changes."""


@dataclass
class Undone(amendments.Preview):
    """Counts over the transactions that the run changed."""

    changed_since: int = 0
    """Somebody changed them since: they are left."""


def undo(
    ledger: Ledger,
    workspaces: Iterable[Workspace],
    run: UUID,
    *,
    by_run: UUID,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Undone, Appended]:
    """Append an amendment of each transaction whose newest version is still that of the `run`.

    Args:
        by_run: the id of this one, by which it can be undone itself.

    Raises:
        KafkaUnavailable, AppendStopped, LiveStalled: see `Ledger.append_many`.
    """
    found = Undone()
    events = (event for workspace in workspaces for event in _given_back(workspace, run, by_run, found))
    return found, ledger.append_many("transaction", events, on_progress=on_progress)


def _given_back(workspace: Workspace, run: UUID, by_run: UUID, found: Undone) -> Iterator[dict[str, Any]]:
    currencies = frozenset(money.currencies())
    by = by_rule(workspace.workspace_id) | {"correlation_id": str(by_run)}

    def read(connection: psycopg.Connection, **place: Any) -> Page:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_OF_RUN, {"run": str(run), **place}).fetchall()

    for page in pages(workspace.workspace_id, read):
        wanted = {row["transaction_id"]: row for row in page}
        with session("operator", workspace_id=workspace.workspace_id) as connection:
            where, also = "transaction_id = ANY(%(ids)s)", ", event_id, recorded_at"
            states = current_transactions(connection, where, also=also, ids=list(wanted))
        for state in states:
            event_id, recorded_at = state.pop("event_id"), state.pop("recorded_at")
            row = wanted[state["transaction_id"]]
            before = {name: row["before"].get(name) for name in _FIELDS}
            before |= {name: UUID(before[name]) for name in _IDS if before[name]}
            found.looked_at += 1
            if event_id != row["event_id"]:
                found.changed_since += 1
            elif has_no_next(state | before, recorded_at, currencies):
                found.set_aside += 1
            else:
                found.would_change += 1
                yield ruled(state, before, **by, event_id=derived_id(by_run, state["transaction_id"], state["version"]))
