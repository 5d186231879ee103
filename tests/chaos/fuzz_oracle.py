"""What live must hold of a message, found without the projector's own reading and merging.

Each message is decoded by itself with `Codec.decode`, decided on by `ingestion.acceptance`, and turned into what the
tables should show by the few rules that are written down here.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from ingestion import events
from ingestion.acceptance import Seen, Sight, decide
from ingestion.codec import Codec, Unreadable

_LONGEST_KEY = 2_000  # bytes


class Expected(NamedTuple):
    """What becomes of a message: a decision with the columns of live.events, or a reason to be a dead letter."""

    decision: str | None
    reason: str | None
    event: dict[str, Any] | None = None


EVENT = (
    "workspace_id", "event_id", "entity", "entity_id", "version", "operation", "actor_id", "source", "external_id",
    "correlation_id", "occurred_at", "recorded_at", "state",
)  # fmt: skip
"""Columns of live.events that an event alone determines."""
TRANSACTION = (
    "version", "operation", "event_id", "actor_id", "source", "external_id", "recorded_at", "kind", "status",
    "account_id", "occurred_on", "occurred_at_local", "posted_on", "amount", "currency", "merchant", "description",
    "counterparty", "category_id", "category_source", "category_confidence", "decided_by", "mcc", "note", "tags",
    "refund_of", "transfer_pair", "attachments", "import_id",
)  # fmt: skip
"""Columns of live.transactions that its last accepted event determines; its lines come after them."""


class Oracle:
    """Decides on the messages of one partition after the other, each partition's in the order of the log."""

    def __init__(self, codec: Codec):
        self._codec = codec
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: things of another partition follow."""
        self._seen = Seen()
        self.current: dict[tuple[UUID, str, UUID], int] = {}
        """(workspace, entity, id) to a hash of what the tables show of it."""

    def expect(self, topic: str, value: bytes | None) -> Expected:
        try:
            event = self._codec.decode(topic, value)
        except Unreadable as error:
            return Expected(None, error.reason)
        # There is one thing that is readable and that live cannot hold, and nothing that PostgreSQL itself refuses.
        if topic == "transaction" and (length := key_of_totals(event)) > _LONGEST_KEY:
            return Expected(
                None, f"live's totals take a category and a currency of at most 2000 bytes together, got {length}"
            )
        entity, entity_id = events.thing(topic, event)
        thing = (event["workspace_id"] or events.NIL, entity, entity_id)
        sight = Sight(event["event_id"], thing, event["version"])
        [decision] = decide([sight], self._seen)
        if decision == "accepted":
            shown = transaction_row(event) if topic == "transaction" else entity_row(event)
            self.current[thing] = hash(shown)
        return Expected(decision, None, event)


def key_of_totals(event: Mapping[str, Any]) -> int:
    """The most bytes of category and currency that the transaction brings into the index of the totals."""
    parts = event["lines"] or [{"category_id": event["category_id"]}]
    return max(len((part["category_id"] or "").encode()) for part in parts) + len(event["currency"].encode())


def event_row(topic: str, event: Mapping[str, Any]) -> tuple:
    """The columns EVENT of live.events."""
    entity, entity_id = events.thing(topic, event)
    own = {name: plain(value) for name, value in event.items() if name not in events.ENVELOPE and value is not None}
    shown = {**event, "workspace_id": event["workspace_id"] or events.NIL, "entity": entity, "entity_id": entity_id}
    return tuple(own if name == "state" else shown[name] for name in EVENT)


def transaction_row(event: Mapping[str, Any]) -> tuple:
    """The columns TRANSACTION of live.transactions, and its lines."""
    shown = {**event, "tags": tuple(event["tags"]), "attachments": as_text(plain(event["attachments"]))}
    confidence = event["category_confidence"]
    shown["category_confidence"] = None if confidence is None else finite(confidence)
    lines = tuple((line["line_id"], line["category_id"], line["amount"], line["note"]) for line in event["lines"])
    return (*(shown[name] for name in TRANSACTION), lines)


def entity_row(event: Mapping[str, Any]) -> tuple:
    """Version, operation, event and state of live.entities."""
    own = {name: plain(value) for name, value in event.items() if name not in events.ENVELOPE and value is not None}
    return event["version"], event["operation"], event["event_id"], as_text(own)


def finite(value: float) -> float | None:
    """JSON has no NaN and no infinity: live shows none."""
    return value if math.isfinite(value) else None


def plain(value: Any) -> Any:
    """As JSON holds it: decimals, ids and instants as text."""
    match value:
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case Decimal():
            return f"{value:f}"
        case UUID():
            return str(value)
        case date() | datetime():
            return value.isoformat()
        case float():
            return finite(value)
    return value


def as_text(value: Any) -> str:
    """JSON in one way, whatever the order of its names and the form of its numbers."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def from_jsonb(text: str) -> Any:
    """What a jsonb holds; large numbers are floats, as they were."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 12 else float(digits))


def headers_of_letter(headers: list) -> list[tuple[str, bytes | None]]:
    return [(name, None if value is None else b64decode(value)) for name, value in headers]
