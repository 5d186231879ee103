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
from outlay.ledger import amendments
from outlay.ledger.amendments import Opened, Page, as_operator, by_rule, has_no_next, pages
from outlay.ledger.commands import Appended, Ledger, Progress, Refused
from outlay.ledger.drafts import returned
from outlay.ledger.states import current_transactions, transactions_at
from outlay.ledger.workspaces import Workspace

_OF_RUN = """
    SELECT DISTINCT ON (e.entity_id) e.entity_id AS transaction_id, e.event_id, b.version AS before
    FROM live.events AS e
    INNER JOIN LATERAL (
        SELECT p.version FROM live.events AS p
        WHERE p.workspace_id = e.workspace_id AND p.entity_id = e.entity_id AND p.version < e.version
            AND p.entity = 'transaction' AND p.decision = 'accepted'
        ORDER BY p.version DESC LIMIT 1
    ) AS b ON true
    WHERE e.workspace_id = live.current_workspace() AND e.entity_id > %(after)s AND e.correlation_id = %(run)s
        AND length(e.correlation_id) <= 64 AND e.entity = 'transaction' AND e.decision = 'accepted'
        AND e.operation = 'amended' AND e.source = %(source)s
    ORDER BY e.entity_id, e.version DESC LIMIT %(page)s
"""
"""What a run changed, by which event that was last, and the version before."""


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
    events = (
        event
        for workspace_id in (workspace.workspace_id for workspace in workspaces)
        for event in given_back(as_operator(workspace_id), run, by_run, found, **by_rule(workspace_id))
    )
    return found, ledger.append_many("transaction", events, on_progress=on_progress)


def given_back(opened: Opened, run: UUID, by_run: UUID, found: Undone, **by: Any) -> Iterator[dict[str, Any]]:
    """The amendments of one workspace; `found` counts them.

    Args:
        by: who makes them (actor_id, source). What a run by another source changed is left.
    """
    currencies = frozenset(money.currencies())

    def read(connection: psycopg.Connection, **place: Any) -> Page:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_OF_RUN, {"run": str(run), "source": by["source"], **place}).fetchall()

    for page in pages(opened, read):
        wanted = {row["transaction_id"]: row for row in page}
        with opened() as connection:
            where, also = "transaction_id = ANY(%(ids)s)", ", event_id, recorded_at"
            states = current_transactions(connection, where, also=also, ids=list(wanted))
            before = transactions_at(connection, {each: row["before"] for each, row in wanted.items()})
        for state in states:
            event_id, recorded_at = state.pop("event_id"), state.pop("recorded_at")
            found.looked_at += 1
            if event_id == derived_id(by_run, state["transaction_id"], state["version"] - 1):
                continue  # this run gave it back before
            if event_id != wanted[state["transaction_id"]]["event_id"]:
                found.changed_since += 1
                continue
            of_this = derived_id(by_run, state["transaction_id"], state["version"])
            earlier = before[state["transaction_id"]]
            try:
                event = returned(state, earlier, **by, correlation_id=str(by_run), event_id=of_this)
            except Refused:
                continue  # it is as it was
            if has_no_next({**event, "version": state["version"]}, recorded_at, currencies):
                found.set_aside += 1
            else:
                found.would_change += 1
                yield event
