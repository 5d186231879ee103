"""Transfers between own accounts paired, refunds linked to what they pay back: a preview, and amendments.

What belongs together is decided by `outlay.insights.links`; here it is read, judged, and appended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from ingestion.enrich import Enricher
from ingestion.events import derived_id
from outlay import money
from outlay.db import session
from outlay.insights.links import VERSION, Entry, Link, match
from outlay.ledger import amendments
from outlay.ledger.amendments import by_rule, has_no_next
from outlay.ledger.commands import Appended, Ledger, Progress
from outlay.ledger.drafts import ruled
from outlay.ledger.linkable import entries
from outlay.ledger.states import current_transactions
from outlay.ledger.workspaces import Workspace

_TOGETHER = 1_000  # links whose transactions are read whole together
_OWN = "transfer.own"

State = dict[str, Any]
States = dict[UUID, State]


@dataclass
class Preview(amendments.Preview):
    """Counts over the transactions that may be linked, and the first links as examples."""

    top: int = 0
    """How many examples to keep."""
    links: Counter[str] = field(default_factory=Counter)
    """What a link is of -> how many."""
    transfers_left: int = 0
    """Transactions that may be half of several transfers, or as well a refund."""
    refunds_left: int = 0
    """Refunds of which several purchases may be meant."""
    halves_left: int = 0
    """Transactions that name another half that does not name them, and does not fit or is not there."""
    overtaken: int = 0
    """Transactions that somebody changed since they were matched."""
    examples: list[tuple[str, State, State]] = field(default_factory=list)
    """What it is, with the states as they are before."""


def preview(workspaces: Iterable[Workspace], enricher: Enricher, *, top: int = 0) -> Preview:
    """What `apply` would change, changing nothing."""
    found = Preview(top=top)
    for workspace in workspaces:
        for _ in _linked(workspace, enricher, found):
            pass
    return found


def apply(
    ledger: Ledger,
    workspaces: Iterable[Workspace],
    enricher: Enricher,
    run: UUID,
    *,
    top: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Preview, Appended]:
    """Append an amendment of each transaction that is linked; one that somebody has just changed is left (`stale`).

    May be run again at any time: what is linked is not looked at again.

    Args:
        run: the events' correlation_id, by which `undoing` finds them.

    Raises:
        KafkaUnavailable, AppendStopped, LiveStalled: see `Ledger.append_many`.
    """
    found = Preview(top=top)
    done = ledger.append_many(
        "transaction",
        (
            _amended(link, entry, other, states[entry.transaction_id], run)
            for workspace in workspaces
            for link, states in _linked(workspace, enricher, found)
            for entry, other in link.changed
        ),
        on_progress=on_progress,
    )
    return found, replace(done, stale=done.stale + found.overtaken)


def _linked(workspace: Workspace, enricher: Enricher, found: Preview) -> Iterator[tuple[Link, States]]:
    """Each link that can be made, with the whole states of the transactions around it."""
    currencies = frozenset(money.currencies())
    looked_at, linkable = entries(workspace.workspace_id, enricher)
    links = match(linkable)
    del linkable  # the states are read while the links wait
    found.looked_at += looked_at
    found.transfers_left += links.transfers_left
    found.refunds_left += links.refunds_left
    found.halves_left += links.halves_left
    for start in range(0, len(links.links), _TOGETHER):
        together = links.links[start : start + _TOGETHER]
        states, set_aside = _whole(workspace.workspace_id, together, currencies)
        for link in together:
            both = {each.transaction_id: each.version for each in (link.one, link.other)}
            if {key: states[key]["version"] for key in both if key in states} != both:
                found.overtaken += len(link.changed)
            elif set_aside & both.keys():
                found.set_aside += len(link.changed)
            else:
                found.would_change += len(link.changed)
                found.links[link.what] += 1
                if len(found.examples) < found.top:
                    found.examples.append((link.what, *(states[key] for key in both)))
                yield link, states


def _whole(workspace_id: UUID, links: Sequence[Link], currencies: Collection[str]) -> tuple[States, set[UUID]]:
    """The current states of what is to be linked, and which of them break a rule."""
    wanted = [each.transaction_id for link in links for each in (link.one, link.other)]
    with session("operator", workspace_id=workspace_id) as connection:
        read = current_transactions(connection, "transaction_id = ANY(%(ids)s)", also=", recorded_at", ids=wanted)
    states = {state["transaction_id"]: state for state in read}
    return states, {key for key, state in states.items() if has_no_next(state, state.pop("recorded_at"), currencies)}


def _amended(link: Link, entry: Entry, other: Entry, state: State, run: UUID) -> State:
    if link.what == "refund":
        decided = {"refund_of": other.transaction_id}
    else:
        decided = {"kind": "transfer", "transfer_pair": other.transaction_id}
        if entry.category != "transfer":
            decided |= {"category_id": _OWN, "category_source": "rule", "category_confidence": None}
            decided |= {"decided_by": VERSION}
    by = by_rule(state["workspace_id"]) | {"correlation_id": str(run)}
    return ruled(state, decided, **by, event_id=derived_id(run, entry.transaction_id, entry.version))
