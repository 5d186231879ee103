"""Purchases as events: recorded, some first pending, some amended, voided, restored, or sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from ingestion import events
from ingestion.enrich import Enricher
from ingestion.sources.simulator.chance import chance, identity, instant
from ingestion.sources.simulator.household import Household
from ingestion.sources.simulator.purchase import Purchase

_PENDING, _AMENDED, _VOIDED, _RESTORED, _SENT_TWICE = 0.05, 0.03, 0.01, 0.3, 0.006
_NOTES = ("shared with the neighbours", "for the trip", "ask for the receipt", "birthday", "work, to be paid back")


@dataclass(frozen=True)
class Truth:
    """What is so about a transaction, whatever its descriptor says."""

    transaction_id: UUID
    merchant: str | None
    """The merchant's name as normalised from the descriptor without a misspelling."""
    category_id: str | None
    labels: frozenset[str]
    """Of trip, typo, anomaly, identical, price_rise, split, amended, voided, restored, resent."""


def booked(
    seed: int, household: Household, purchase: Purchase, enricher: Enricher
) -> tuple[list[dict[str, Any]], Truth]:
    """Every version of the transaction, oldest first; an event that was sent twice is in the list twice."""
    rng = chance(seed, "book", purchase.transaction_id)
    labels = set(purchase.labels)
    first = _recorded(household, purchase, enricher, rng)
    versions = [first]
    if first["status"] == "pending":
        versions.append(_next(first, "amended", hours=30, status="posted", posted_on=_posted(purchase)))
    if purchase.kind == "expense":
        for operation, hours, changes in _corrections(rng):
            versions.append(_next(versions[-1], operation, hours=hours, **changes))
            labels.add(operation)
    if rng.random() < _SENT_TWICE:
        versions.append(versions[-1])
        labels.add("resent")
    if purchase.parts:
        labels.add("split")
    spelt = enricher.enrich(purchase.merchant or purchase.description, mcc=purchase.mcc)
    category_id = purchase.category_id or spelt.category_id
    return versions, Truth(purchase.transaction_id, spelt.merchant, category_id, frozenset(labels))


def _corrections(rng: Random) -> Iterator[tuple[str, int, dict[str, Any]]]:
    if rng.random() < _AMENDED:
        yield "amended", rng.randrange(20, 60), {"note": rng.choice(_NOTES), "tags": ["reviewed"]}
    if rng.random() < _VOIDED:
        yield "voided", rng.randrange(24, 72), {}
        if rng.random() < _RESTORED:
            yield "restored", rng.randrange(2, 30), {}


def _recorded(household: Household, purchase: Purchase, enricher: Enricher, rng: Random) -> dict[str, Any]:
    occurred_at = instant(purchase.local, household.time_zone)
    by_card = purchase.mcc is not None
    pending = by_card and not purchase.parts and rng.random() < _PENDING
    enriched = enricher.enrich(purchase.description, mcc=purchase.mcc)
    known = purchase.category_id is not None or bool(purchase.parts)
    return events.transaction(
        event_id=identity(purchase.transaction_id, "version", 1),
        workspace_id=household.workspace_id,
        actor_id=purchase.actor_id,
        source="simulator",
        occurred_at=occurred_at,
        recorded_at=occurred_at + timedelta(seconds=rng.randrange(5, 7200)),
        transaction_id=purchase.transaction_id,
        kind=purchase.kind,
        status="pending" if pending else "posted",
        account_id=purchase.account_id,
        occurred_on=purchase.local.date(),
        occurred_at_local=purchase.local,
        posted_on=None if pending else _posted(purchase),
        amount=purchase.amount,
        currency=purchase.currency,
        merchant=None if purchase.kind in ("transfer", "income") else enriched.merchant,
        description=purchase.description,
        counterparty=purchase.counterparty,
        category_id=(purchase.category_id or purchase.parts[0][0]) if known else enriched.category_id,
        category_source="user" if known else enriched.category_source,
        category_confidence=None if known else enriched.category_confidence,
        decided_by=None if known else enriched.decided_by,
        mcc=purchase.mcc,
        note=purchase.note,
        tags=purchase.tags,
        lines=[
            events.line(amount, line_id=identity(purchase.transaction_id, "line", number), category_id=category_id)
            for number, (category_id, amount) in enumerate(purchase.parts)
        ],
        refund_of=purchase.refund_of,
        transfer_pair=purchase.transfer_pair,
    )


def _next(before: dict[str, Any], operation: str, *, hours: int, **changes: Any) -> dict[str, Any]:
    """The version after `before`, `hours` later."""
    version = before["version"] + 1
    at: datetime = before["recorded_at"] + timedelta(hours=hours)
    return before | {
        "event_id": identity(before["transaction_id"], "version", version),
        "version": version,
        "operation": operation,
        "occurred_at": at,
        "recorded_at": at,
        **changes,
    }


def _posted(purchase: Purchase):
    return purchase.local.date() + timedelta(days=2 if purchase.mcc else 0)
