"""The constructors of every event: plain dicts, complete in the sense of the contract.

Values are Python's own: ids are `UUID`, amounts `Decimal` (at most 14 digits before and 4 after the point), days
`date`, instants aware `datetime`, local times naive `datetime`. Nothing is judged here: the codec refuses what the
contract cannot hold, `ingestion.rules` what makes no sense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Required, TypedDict, Unpack
from uuid import NAMESPACE_DNS, UUID, uuid5

from uuid6 import uuid7

NIL = UUID(int=0)
"""What tables hold as workspace_id of an event that belongs to none."""

ENTITIES = ("user", "workspace", "membership", "account", "category", "rule", "budget", "preference")

_NAMESPACE = uuid5(NAMESPACE_DNS, "outlay.events")
ENTITY_ID = {"transaction": "transaction_id", "user": "entity_id", "report": "report_id", "reminder": "reminder_id"}


def new_id() -> UUID:
    """A UUIDv7: grows with time, so that a table keyed by it grows at its end."""
    return UUID(int=uuid7().int)


def derived_id(*parts: UUID | str | int) -> UUID:
    """The UUIDv5 of `parts`: the same parts give the same id on every machine."""
    return uuid5(_NAMESPACE, "\x1f".join(map(str, parts)))


def owner_of(workspace_id: UUID) -> UUID:
    """The user that a person at the command line acts as: the workspace's owner."""
    return derived_id(workspace_id, "owner")


def thing(topic: str, event: Mapping[str, Any]) -> tuple[str, UUID]:
    """What the event is about: (entity, entity id), such as ("transaction", its transaction_id)."""
    return (event["entity"] if topic == "user" else topic), event[ENTITY_ID[topic]]


def key(topic: str, event: Mapping[str, Any]) -> bytes:
    """The Kafka key: the workspace, so that a household's events keep their order; for a user entity, its own id.

    Raises:
        ValueError: the event belongs to no workspace and is not about a user.
    """
    if topic == "user" and event["entity"] == "user":
        return str(event["entity_id"]).encode()
    if event["workspace_id"] is None:
        raise ValueError(f"expected a workspace_id; the {topic} event {event['event_id']} has none")
    return str(event["workspace_id"]).encode()


class Envelope(TypedDict, total=False):
    """What every constructor takes besides the event's own fields. Ids and instants that are left out are made now."""

    workspace_id: Required[UUID | None]
    source: Required[str]
    event_id: UUID | None
    actor_id: UUID | None
    occurred_at: datetime | None
    recorded_at: datetime | None
    external_id: str | None
    correlation_id: str | None


def transaction(
    *,
    transaction_id: UUID,
    account_id: UUID,
    kind: str,
    occurred_on: date,
    amount: Decimal,
    currency: str,
    version: int = 1,
    operation: str = "recorded",
    status: str = "posted",
    occurred_at_local: datetime | None = None,
    posted_on: date | None = None,
    merchant: str | None = None,
    description: str | None = None,
    counterparty: str | None = None,
    category_id: str | None = None,
    category_source: str = "unknown",
    category_confidence: float | None = None,
    decided_by: str | None = None,
    mcc: str | None = None,
    note: str | None = None,
    tags: Sequence[str] = (),
    lines: Sequence[Mapping[str, Any]] = (),
    refund_of: UUID | None = None,
    transfer_pair: UUID | None = None,
    attachments: Sequence[Mapping[str, Any]] = (),
    import_id: UUID | None = None,
    **envelope: Unpack[Envelope],
) -> dict[str, Any]:
    """One change of one transaction: the whole state after it. Amounts are positive when money leaves the account.

    `occurred_on` is the day of purchase in the user's zone, `occurred_at_local` the naive wall-clock time there.
    """
    event = _envelope(**envelope)
    event.update(
        transaction_id=transaction_id,
        version=version,
        operation=operation,
        kind=kind,
        status=status,
        account_id=account_id,
        occurred_on=occurred_on,
        occurred_at_local=occurred_at_local,
        posted_on=posted_on,
        amount=amount,
        currency=currency,
        merchant=merchant,
        description=description,
        counterparty=counterparty,
        category_id=category_id,
        category_source=category_source,
        category_confidence=category_confidence,
        decided_by=decided_by,
        mcc=mcc,
        note=note,
        tags=list(tags),
        lines=[dict(line) for line in lines],
        refund_of=refund_of,
        transfer_pair=transfer_pair,
        attachments=[dict(attachment) for attachment in attachments],
        import_id=import_id,
    )
    return event


def line(amount: Decimal, *, line_id: UUID, category_id: str | None = None, note: str | None = None) -> dict[str, Any]:
    """One part of a transaction; a transaction's lines sum to its amount."""
    return {"line_id": line_id, "category_id": category_id, "amount": amount, "note": note}


def entity(
    *,
    entity: str,
    entity_id: UUID,
    state: Mapping[str, Any],
    version: int = 1,
    operation: str = "created",
    **envelope: Unpack[Envelope],
) -> dict[str, Any]:
    """One change of a user, workspace, membership, account, category, rule, budget or preference (topic `user`).

    `state` is the entity's nested record of the contract, such as an account's `{"name": "Visa", "type": "card", ...}`.
    """
    event = _envelope(**envelope)
    event.update(entity=entity, entity_id=entity_id, version=version, operation=operation)
    event.update({name: dict(state) if name == entity else None for name in ENTITIES})
    return event


def report(
    *,
    report_id: UUID,
    name: str,
    version: int = 1,
    operation: str = "requested",
    parameters: Mapping[str, str] | None = None,
    period: str | None = None,
    format: str | None = None,
    location: str | None = None,
    error: str | None = None,
    **envelope: Unpack[Envelope],
) -> dict[str, Any]:
    """One step in the life of a report; `period` is an ISO 8601 period such as 2026-09."""
    event = _envelope(**envelope)
    event.update(
        report_id=report_id,
        version=version,
        operation=operation,
        name=name,
        parameters=dict(parameters or {}),
        period=period,
        format=format,
        location=location,
        error=error,
    )
    return event


def reminder(
    *,
    reminder_id: UUID,
    due_at: datetime,
    version: int = 1,
    operation: str = "set",
    about: str | None = None,
    repeat: str | None = None,
    channel: str = "app",
    **envelope: Unpack[Envelope],
) -> dict[str, Any]:
    """One step in the life of a reminder; `repeat` is an RFC 5545 recurrence rule."""
    event = _envelope(**envelope)
    event.update(
        reminder_id=reminder_id,
        version=version,
        operation=operation,
        about=about,
        due_at=due_at,
        repeat=repeat,
        channel=channel,
    )
    return event


def _envelope(
    *,
    workspace_id: UUID | None,
    source: str,
    event_id: UUID | None = None,
    actor_id: UUID | None = None,
    occurred_at: datetime | None = None,
    recorded_at: datetime | None = None,
    external_id: str | None = None,
    correlation_id: str | None = None,
) -> dict[str, Any]:
    now = recorded_at or datetime.now(UTC)
    return {
        "event_id": event_id or new_id(),
        "workspace_id": workspace_id,
        "actor_id": actor_id,
        "occurred_at": occurred_at or now,
        "recorded_at": now,
        "source": source,
        "external_id": external_id,
        "correlation_id": correlation_id,
        "sealed": None,
        "key_id": None,
    }


ENVELOPE = tuple(_envelope(workspace_id=None, source="", event_id=NIL))
"""The fields that every event has; the others are the event's own."""
