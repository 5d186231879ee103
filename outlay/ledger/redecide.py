"""Better tables in seeds/ decide again of what earlier ones decided: a preview, and amendments that can be looked at.

What a person or a file chose stays. A category changes only for another that the tables know, and only within its kind,
so that an expense does not become a transfer unseen. A merchant changes only where it is nothing but the bank's text
without its noise, which nobody chose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from ingestion import events
from ingestion.enrich import Enricher
from ingestion.events import derived_id, owner_of
from ingestion.rules import problems
from outlay import money
from outlay.db import session
from outlay.ledger.commands import Appended, Ledger, Progress
from outlay.ledger.workspaces import Workspace

_SQL = Path(__file__).with_suffix(".sql")
_AT_ONCE = 2_000  # rows fetched together
_KINDS = {"expense": "spending", "refund": "spending", "income": "income", "transfer": "transfer"}
"""Kind of a transaction -> kind of the categories that it may have."""


@dataclass
class Preview:
    """Counts over the transactions that the tables may decide of."""

    looked_at: int = 0
    changed: int = 0
    set_aside: int = 0
    """They would change, and break a rule of quarantine: to be corrected first."""
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
    """Append an amendment of each transaction that changes; one that somebody changes meanwhile stays theirs (`stale`).

    May be run again at any time: with the same tables it then finds nothing left to do.

    Raises:
        KafkaUnavailable, AppendStopped, LiveStalled: see `Ledger.append_many`.
    """
    found = Preview()
    changes = (change for workspace in workspaces for change in _changes(workspace, enricher, found))
    return found, ledger.append_many("transaction", changes, on_progress=on_progress)


def _changes(workspace: Workspace, enricher: Enricher, found: Preview) -> Iterator[dict[str, Any]]:
    known = frozenset(money.currencies())
    by = {"actor_id": owner_of(workspace.workspace_id), "source": "rule"}
    for current in _decided_by_tables(workspace.workspace_id):
        found.looked_at += 1
        after = _decided_anew(current, enricher)
        if after is None:
            continue
        version = current["version"] + 1
        event_id = derived_id(current["transaction_id"], "redecided", version, enricher.version)
        next_state = {**current, **after, "version": version, "operation": "amended"}
        event = events.transaction(**next_state, **by, event_id=event_id)
        if problems(event, known):
            found.set_aside += 1
            continue
        found.changed += 1
        for counted, name in ((found.categories, "category_id"), (found.merchants, "merchant")):
            if current[name] != event[name]:
                counted[current[name], event[name]] += 1
        yield event


def _decided_anew(current: dict[str, Any], enricher: Enricher) -> dict[str, Any] | None:
    """The fields that the tables decide another way today; None where they decide as before."""
    now = enricher.enrich(current["description"], mcc=current["mcc"])
    after: dict[str, Any] = {}
    if (
        now.known
        and now.merchant != current["merchant"]
        and current["merchant"]
        in (
            None,
            enricher.plain_name(current["description"]),
        )
    ):
        after["merchant"] = now.merchant
    category = enricher.categories.get(now.category_id or "")
    if category and now.category_id != current["category_id"] and category.kind == _KINDS[current["kind"]]:
        after |= {
            "category_id": now.category_id,
            "category_source": now.category_source,
            "category_confidence": now.category_confidence,
            "decided_by": now.decided_by,
        }
    return after or None


def _decided_by_tables(workspace_id: UUID) -> Iterator[dict[str, Any]]:
    """As the arguments of `events.transaction`, a few thousand at a time."""
    with (
        session("app", workspace_id=workspace_id) as connection,
        connection.cursor("decided_by_tables", row_factory=dict_row) as cursor,
    ):
        cursor.itersize = _AT_ONCE
        for row in cursor.execute(_SQL.read_text(encoding="utf-8")):
            for line in row["lines"]:
                line |= {"line_id": UUID(line["line_id"]), "amount": Decimal(line["amount"])}
            for attachment in row["attachments"]:
                attachment["attachment_id"] = UUID(attachment["attachment_id"])
            yield row
