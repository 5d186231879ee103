"""What must be true of live and of bronze, from the messages of the log alone: pure, and written without the product's
own SQL and encoders. The acceptance rule is `ingestion.acceptance`, the one definition of it.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from ingestion.acceptance import Seen, Sight, decide

Row = Mapping[str, Any]
Table = dict[tuple, Row]
"""Rows by their key."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NIL = UUID(int=0)
_ENVELOPE = ("event_id", "workspace_id", "actor_id", "occurred_at", "recorded_at", "source", "external_id",
             "correlation_id", "sealed", "key_id")  # fmt: skip
_ENTITY_ID = {"transaction": "transaction_id", "user": "entity_id", "report": "report_id", "reminder": "reminder_id"}
_OF_A_TRANSACTION = (
    *("kind", "status", "account_id", "occurred_on", "occurred_at_local", "posted_on", "amount", "currency"),
    *("merchant", "description", "counterparty", "category_id", "category_source", "category_confidence"),
    *("decided_by", "mcc", "note", "tags", "refund_of", "transfer_pair", "attachments", "import_id"),
)


class Message(NamedTuple):
    """A message of the log. `timestamp` is the broker's, in milliseconds since 1970.

    `event` is what its writer meant, None where it is no event of its topic. `storable` is false for an event that
    PostgreSQL cannot store: bronze holds it as an event, live as a dead letter.
    """

    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    event: Row | None
    storable: bool = True

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset

    @property
    def logged_at(self) -> datetime:
        return _EPOCH + timedelta(milliseconds=self.timestamp)


@dataclass
class Expected:
    """The rows that each store must hold, by table. What a row must not be compared by is not in it."""

    live: dict[str, Table] = field(default_factory=lambda: defaultdict(dict))
    bronze: dict[str, Table] = field(default_factory=lambda: defaultdict(dict))


def expected(log: Iterable[Message]) -> Expected:
    """What the views must hold when they have read all messages of `log`; each thing's events are in one partition."""
    said, seen = Expected(), Seen()
    current: dict[tuple, tuple[Message, str, UUID]] = {}
    for message in sorted(log, key=lambda message: message.place):
        _land(said.bronze, message)
        if message.event is None or not message.storable:
            said.live["dead_letters"][message.place] = _letter(message)
            continue
        event = message.event
        entity = event["entity"] if message.topic == "user" else message.topic
        thing = (event["workspace_id"] or _NIL, entity, event[_ENTITY_ID[message.topic]])
        (decision,) = decide([Sight(event["event_id"], thing, event["version"])], seen)
        said.live["events"][message.place] = _event(message, thing, decision)
        if decision == "accepted":
            current[thing] = message, entity, thing[2]
    for (workspace, entity, thing_id), (message, *_) in current.items():
        if entity == "transaction":
            said.live["transactions"][workspace, thing_id] = _transaction(message)
            for number, line in enumerate(message.event["lines"], start=1):
                said.live["transaction_lines"][workspace, thing_id, number] = dict(line)
        else:
            said.live["entities"][workspace, entity, thing_id] = _entity(message)
    said.live["monthly_totals"] = _totals(message for message, entity, _ in current.values() if entity == "transaction")
    return said


def _event(message: Message, thing: tuple, decision: str) -> Row:
    event = message.event
    workspace, entity, thing_id = thing
    same = ("event_id", "version", "operation", "actor_id", "source", "external_id", "correlation_id", "occurred_at",
            "recorded_at")  # fmt: skip
    return {
        **{name: event[name] for name in same},
        "topic_id": message.topic_id,
        "logged_at": message.logged_at,
        "workspace_id": workspace,
        "entity": entity,
        "entity_id": thing_id,
        "decision": decision,
        "state": _state(event),
    }


def _transaction(message: Message) -> Row:
    event = message.event
    same = ("version", "operation", "event_id", "actor_id", "source", "external_id", "recorded_at", *_OF_A_TRANSACTION)
    return {name: event[name] for name in same} | _stands(message)


def _entity(message: Message) -> Row:
    event = message.event
    same = ("version", "operation", "event_id", "actor_id", "recorded_at")
    return {name: event[name] for name in same} | {"state": _state(event)} | _stands(message)


def _stands(message: Message) -> Row:
    return {"topic_id": message.topic_id, "partition": message.partition, "offset": message.offset}


def _totals(current: Iterable[Message]) -> Table:
    """Number and sum of the parts of what is not void, by month, account, category, currency and kind."""
    lines: defaultdict[tuple, int] = defaultdict(int)
    amounts: defaultdict[tuple, Decimal] = defaultdict(Decimal)
    for message in current:
        event = message.event
        if event["operation"] == "voided":
            continue
        for part in event["lines"] or [event]:
            cell = (
                *(event["workspace_id"], event["occurred_on"].replace(day=1), event["account_id"]),
                *(part["category_id"] or "uncategorised", event["currency"], event["kind"]),
            )
            lines[cell] += 1
            amounts[cell] += part["amount"]
    return {cell: {"lines": lines[cell], "amount": amounts[cell]} for cell in lines}


def _letter(message: Message) -> Row:
    headers = [[name, None if value is None else b64encode(value).decode()] for name, value in message.headers]
    same = {"topic_id": message.topic_id, "logged_at": message.logged_at}
    return same | {"key": message.key, "value": message.value, "headers": headers}


def _land(bronze: dict[str, Table], message: Message) -> None:
    is_event = message.event is not None
    bronze["events" if is_event else "unreadable"][message.place] = {
        "timestamp": message.logged_at,
        "key": message.key,
        "headers": message.headers,
        "schema_id": int.from_bytes(message.value[1:5], "big") if is_event else None,
        "value": message.event if is_event else message.value,
    }


def _state(event: Row) -> Any:
    return _json({name: value for name, value in event.items() if value is not None and name not in _ENVELOPE})


def _json(value: Any) -> Any:
    """As JSON holds it: ids and decimals as text, days and instants in ISO form."""
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, UUID | Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value
