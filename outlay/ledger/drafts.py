"""From what a person gives to a whole transaction event, and from a current one to its next version. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ingestion import events
from ingestion.enrich import Enricher
from ingestion.rules import Problem
from outlay.ledger.choosing import OwnEnricher
from outlay.ledger.errors import Refused

Kind = Literal["expense", "refund", "income", "transfer"]
Status = Literal["pending", "posted"]

DECIDED = ("merchant", "category_id", "category_source", "category_confidence", "decided_by")
"""The fields that enrichment decides where the person does not."""


@dataclass(frozen=True)
class LineDraft:
    """One part of a transaction."""

    amount: Decimal
    category_id: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class TransactionDraft:
    """A transaction to record: `amount` is above 0 when money leaves the account, `occurred_on` the user's local day.

    Where `merchant` or `category_id` is None, it is found from the description and the MCC.
    """

    account_id: UUID
    occurred_on: date
    amount: Decimal
    currency: str
    kind: Kind = "expense"
    status: Status = "posted"
    occurred_at_local: datetime | None = None
    posted_on: date | None = None
    merchant: str | None = None
    description: str | None = None
    counterparty: str | None = None
    category_id: str | None = None
    mcc: str | None = None
    note: str | None = None
    tags: Sequence[str] = ()
    lines: Sequence[LineDraft] = ()
    refund_of: UUID | None = None
    transfer_pair: UUID | None = None
    external_id: str | None = None

    @property
    def left_open(self) -> tuple[str, ...]:
        """The fields that the person left to enrichment."""
        category = () if self.category_id is not None else DECIDED[1:]
        return (*(() if self.merchant is not None else DECIDED[:1]), *category)


LINKS = {"refund_of": ("refund", "expense"), "transfer_pair": ("transfer", "transfer")}
"""Field -> the kind of transaction that has it, and the kind that it names."""

_MOST_ATTACHMENTS = 20
_OF_VERSION = frozenset({"version", "operation"})
CHANGEABLE = frozenset(field.name for field in fields(TransactionDraft)) - {"external_id"}


def recorded(
    draft: TransactionDraft,
    enricher: Enricher | OwnEnricher,
    *,
    transaction_id: UUID,
    event_id: UUID,
    workspace_id: UUID,
    actor_id: UUID,
    source: str,
    correlation_id: str | None = None,
) -> dict[str, Any]:
    """The event that records `draft`. The same draft under the same ids is the same event."""
    given = {field.name: getattr(draft, field.name) for field in fields(draft)}
    given |= _decide(given, merchant=draft.merchant is None, category=draft.category_id is None, enricher=enricher)
    return events.transaction(
        **(given | {"lines": _lines(draft.lines, transaction_id)}),
        transaction_id=transaction_id,
        event_id=event_id,
        workspace_id=workspace_id,
        actor_id=actor_id,
        source=source,
        correlation_id=correlation_id,
    )


def amended(
    current: Mapping[str, Any], changes: Mapping[str, Any], enricher: Enricher | OwnEnricher, **by: Any
) -> dict[str, Any]:
    """The event after `changes` to the `current` state; a category or merchant that the person chose before is kept.

    Raises:
        Refused: it is voided, or a field cannot be changed.
    """
    _must_be(current, voided=False, message="it is voided: restore it before changing it")
    return _changed(current, changes, enricher, "amended", **by)


def corrected(
    current: Mapping[str, Any], changes: Mapping[str, Any], enricher: Enricher | OwnEnricher, **by: Any
) -> dict[str, Any]:
    """As `amended`, and of a voided transaction too, which stays void.

    Raises:
        Refused: a field cannot be changed.
    """
    return _changed(current, changes, enricher, "voided" if current["operation"] == "voided" else "amended", **by)


def _changed(
    current: Mapping[str, Any], changes: Mapping[str, Any], enricher: Enricher | OwnEnricher, operation: str, **by: Any
) -> dict[str, Any]:
    unknown = sorted(changes.keys() - CHANGEABLE)
    if unknown:
        raise Refused([Problem("changeable", name, "expected a field that can be changed") for name in unknown])
    given = {**current, **changes}
    for link, (kind, _) in LINKS.items():
        if link not in changes and given["kind"] != kind:
            given[link] = None  # it is none any more
    if "lines" in changes:
        given["lines"] = _lines(changes["lines"], current["transaction_id"], _next_version(current))
    if "category_id" in changes:
        given |= {"category_source": "user", "category_confidence": None, "decided_by": None}
    described_anew = given["description"] != current["description"]
    if described_anew or given["mcc"] != current["mcc"]:
        given |= _decide(
            given,
            merchant=described_anew and "merchant" not in changes,
            category="category_id" not in changes and current["category_source"] != "user",
            enricher=enricher,
        )
    return _following(given, operation, **by)


def ruled(current: Mapping[str, Any], decided: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """The event after a rule has `decided` some fields of `current` another way, whichever they are."""
    return _following({**current, **decided}, "amended", **by)


def attached(current: Mapping[str, Any], attachment: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """The event that adds a file, named as in the contract.

    Raises:
        Refused: it is voided, or has the file already, or as many as there may be.
    """
    _must_be(current, voided=False, message="it is voided: restore it before changing it")
    there = current["attachments"]
    if any(each["attachment_id"] == attachment["attachment_id"] for each in there):
        raise Refused([Problem("once", "file", "it is attached already")])
    if len(there) >= _MOST_ATTACHMENTS:
        raise Refused([Problem("few", "file", f"expected at most {_MOST_ATTACHMENTS} attachments")])
    return _following({**current, "attachments": [*there, attachment]}, "amended", **by)


def detached(current: Mapping[str, Any], attachment_id: UUID, **by: Any) -> dict[str, Any]:
    """The event that takes a file off.

    Raises:
        Refused: it is voided, or has no such file.
    """
    _must_be(current, voided=False, message="it is voided: restore it before changing it")
    left = [each for each in current["attachments"] if each["attachment_id"] != attachment_id]
    if len(left) == len(current["attachments"]):
        raise Refused([Problem("known", "attachment_id", f"expected one of its attachments, got {attachment_id}")])
    return _following({**current, "attachments": left}, "amended", **by)


def voided(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """The event that takes `current` back.

    Raises:
        Refused: it is voided already.
    """
    _must_be(current, voided=False, message="it is voided already")
    return _following(current, "voided", **by)


def restored(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """The event that brings the voided `current` back as it was.

    Raises:
        Refused: it is not voided.
    """
    _must_be(current, voided=True, message="it is not voided")
    return _following(current, "restored", **by)


def returned(current: Mapping[str, Any], earlier: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """The event that makes of `current` what it was in an `earlier` state, not void.

    Raises:
        Refused: nothing differs.
    """
    again = {name: value for name, value in earlier.items() if name not in _OF_VERSION}
    is_void = current["operation"] == "voided"
    if not is_void and all(current[name] == value for name, value in again.items()):
        message = f"it is as it was at version {earlier['version']}"
        raise Refused([Problem("differs", "version", message)])
    return _following({**current, **again}, "restored" if is_void else "amended", **by)


def _must_be(current: Mapping[str, Any], *, voided: bool, message: str) -> None:
    if (current["operation"] == "voided") != voided:
        raise Refused([Problem("voided" if voided else "not_voided", "operation", message)])


def _following(current: Mapping[str, Any], operation: str, **by: Any) -> dict[str, Any]:
    """The next version of the whole state; `by` is who and how."""
    return events.transaction(**{**current, "version": _next_version(current), "operation": operation, **by})


def _next_version(current: Mapping[str, Any]) -> int:
    """From 1, also where somebody sent one below."""
    return max(current["version"], 0) + 1


def _decide(
    given: Mapping[str, Any], *, merchant: bool, category: bool, enricher: Enricher | OwnEnricher
) -> dict[str, Any]:
    found = enricher.enrich(given["description"], mcc=given["mcc"])
    decided: dict[str, Any] = {"merchant": found.merchant} if merchant else {}
    if category:
        decided |= {name: getattr(found, name) for name in DECIDED[1:]}
    elif "category_source" not in given:
        decided["category_source"] = "user"
    return decided


def _lines(
    lines: Sequence[LineDraft | Mapping[str, Any]], transaction_id: UUID, version: int = 1
) -> list[dict[str, Any]]:
    drafts = [line if isinstance(line, LineDraft) else LineDraft(**line) for line in lines]
    return [
        events.line(
            draft.amount,
            line_id=events.derived_id(transaction_id, version, "line", number),
            category_id=draft.category_id,
            note=draft.note,
        )
        for number, draft in enumerate(drafts, start=1)
    ]
