"""Better tables in seeds/ decide again of what earlier ones decided: a preview, and amendments that can be looked at.

What a person or a file chose stays. A category changes only for another that the tables know, and only within its kind,
so that an expense does not become a transfer unseen. A merchant changes only where it is nothing but the bank's text
without its noise, which nobody chose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingestion.enrich import Enricher
from ingestion.events import derived_id
from outlay import money
from outlay.ledger import amendments
from outlay.ledger.amendments import as_operator, by_rule, has_no_next, pages
from outlay.ledger.choosing import OwnEnricher
from outlay.ledger.commands import Appended, Ledger, Progress
from outlay.ledger.drafts import DECIDED, ruled
from outlay.ledger.queries import choices
from outlay.ledger.states import current_transactions
from outlay.ledger.workspaces import Workspace

_KINDS = {"expense": "spending", "refund": "spending", "income": "income", "transfer": "transfer"}
"""Kind of a transaction -> kind of the categories that it may have."""

_DECIDED_BY_TABLES = """
    transaction_id > %(after)s AND operation <> 'voided' AND status = 'posted'
    AND (category_source IN ('rule', 'mcc') AND decided_by LIKE 'seeds-%%'
        OR category_source = 'unknown' AND category_id IS NULL)
    ORDER BY transaction_id LIMIT %(page)s
"""
"""Whose category the tables have decided, or nobody. What is pending, its source may have a next version of."""


@dataclass
class Preview(amendments.Preview):
    """Counts over the transactions that the tables may decide of."""

    categories: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    """(category before, category after) -> transactions; only where it changes."""
    merchants: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    """The same of merchants."""


def preview(workspaces: Iterable[Workspace], enricher: Enricher) -> Preview:
    """What `apply` would change, changing nothing."""
    found = Preview()
    for workspace in workspaces:
        for _ in _changes(workspace, enricher, found):
            pass
    return found


def apply(
    ledger: Ledger,
    workspaces: Iterable[Workspace],
    enricher: Enricher,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Preview, Appended]:
    """Append an amendment of each transaction that changes; one that somebody has just changed is left (`stale`).

    May be run again at any time: with the same tables it then finds nothing left to do.

    Raises:
        KafkaUnavailable, AppendStopped, LiveStalled: see `Ledger.append_many`.
    """
    found = Preview()
    changes = (change for workspace in workspaces for change in _changes(workspace, enricher, found))
    return found, ledger.append_many("transaction", changes, on_progress=on_progress)


def _changes(workspace: Workspace, enricher: Enricher, found: Preview) -> Iterator[dict[str, Any]]:
    currencies = frozenset(money.currencies())
    with as_operator(workspace.workspace_id)() as connection:
        own = OwnEnricher(enricher, choices.categories(connection))
    read = partial(current_transactions, where=_DECIDED_BY_TABLES, also=", recorded_at")
    for current in (each for page in pages(as_operator(workspace.workspace_id), read) for each in page):
        recorded_at = current.pop("recorded_at")
        found.looked_at += 1
        decided = _decided_anew(current, own)
        if not decided:
            continue
        if has_no_next(current | decided, recorded_at, currencies):
            found.set_aside += 1
            continue
        event_id = derived_id(current["transaction_id"], "redecided", current["version"], enricher.version)
        event = ruled(current, decided, **by_rule(workspace.workspace_id), event_id=event_id)
        found.would_change += 1
        for counted, name in ((found.categories, "category_id"), (found.merchants, "merchant")):
            if current[name] != event[name]:
                counted[current[name], event[name]] += 1
        yield event


def _decided_anew(current: dict[str, Any], enricher: OwnEnricher) -> dict[str, Any]:
    """The fields that the tables decide another way today, as far as that is theirs to decide."""
    plain_now = enricher.plain(current["description"], mcc=current["mcc"])
    now = enricher.own(plain_now)
    plain = enricher.plain_name(current["description"])
    if current["import_id"] and current["merchant"] not in (plain, now.merchant):
        return {}  # the file named the merchant in a column of its own, and the tables decided from that
    decided: dict[str, Any] = {}
    if now.known and current["merchant"] == plain:
        decided["merchant"] = now.merchant
    category = enricher.categories.get(plain_now.category_id or "")
    is_archived = now.category_id != plain_now.category_id
    is_kept = is_archived and current["category_id"] == plain_now.category_id  # what was recorded in it stays
    if category and now.category_id and not is_kept and category.kind == _KINDS.get(current["kind"], category.kind):
        decided |= {name: getattr(now, name) for name in DECIDED[1:]}
    changed = any(current[name] != decided[name] for name in ("merchant", "category_id") if name in decided)
    return decided if changed else {}
