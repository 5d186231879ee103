"""Events as messages of the log, without servers."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro

from ingestion import contracts, events
from ingestion.codec import Codec, _Written

SCHEMAS = {number: topic for number, topic in enumerate(contracts.TOPICS, start=1)}
NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def knowing_codec() -> Codec:
    """Knows the contracts under the ids of SCHEMAS without a registry."""
    codec = Codec("http://127.0.0.1:9")
    codec._written.update({number: _Written.of(contracts.schema(topic)) for number, topic in SCHEMAS.items()})
    return codec


def encoded(topic: str, event: dict) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, contracts.schema(topic), event)
    number = next(number for number, name in SCHEMAS.items() if name == topic)
    return b"\0" + number.to_bytes(4, "big") + out.getvalue()


def purchase(**changes: Any) -> dict:
    given = {
        "workspace_id": UUID(int=1),
        "transaction_id": UUID(int=2),
        "account_id": UUID(int=3),
        "kind": "expense",
        "occurred_on": date(2026, 1, 2),
        "amount": Decimal("12.3400"),
        "currency": "EUR",
        "source": "app",
        "recorded_at": NOW,
    }
    return events.transaction(**(given | changes))


def transactions() -> list[dict]:
    """Purchases of every shape that the contract allows."""
    lines = [{"line_id": UUID(int=n), "category_id": "food", "amount": Decimal("6.1700"), "note": None} for n in (4, 5)]
    return [
        purchase(),
        purchase(description="Käse ☕ 寿司", tags=["a", "", "ü"], merchant="x" * 300),
        purchase(
            description='Käse "☕"\n寿司', merchant="x" * 300, source="import", external_id="ü-1", correlation_id=""
        ),
        purchase(lines=lines, note="two parts", category_confidence=0.5, refund_of=UUID(int=9)),
        purchase(category_confidence=1e-9, refund_of=UUID(int=9), actor_id=UUID(int=(1 << 128) - 1), version=2_000_000),
        purchase(occurred_on=date.min, recorded_at=datetime.min.replace(tzinfo=UTC), amount=Decimal("-0.0001")),
        purchase(occurred_on=date.max, recorded_at=datetime.max.replace(tzinfo=UTC), amount=Decimal("0.0000")),
        purchase(amount=Decimal("3602879701896.3967"), posted_on=date(1969, 12, 31)),
        purchase(amount=Decimal("-1"), kind="income", workspace_id=None),
        purchase(occurred_at_local=datetime(2026, 1, 2, 23, 59, 59, 999_999), mcc="5411") | {"sealed": b"\0\xff"},  # noqa: DTZ001
        purchase(occurred_at_local=datetime(1960, 1, 2), recorded_at=datetime(1999, 1, 1, 0, 0, 0, 1, UTC)),  # noqa: DTZ001
    ]


def others() -> list[tuple[str, dict]]:
    reminder = events.reminder(
        reminder_id=UUID(int=1), workspace_id=UUID(int=2), due_at=NOW, about="Miete", source="app", repeat="FREQ=DAILY"
    )
    return [("reminder", reminder)]


@dataclass
class Message:
    """A message as confluent-kafka hands it out."""

    content: bytes | None
    of: str = "transaction"
    number: int = 42
    logged_at: datetime = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    with_headers: list = field(default_factory=list)

    def topic(self) -> str:
        return self.of

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.number

    def timestamp(self) -> tuple[int, int]:
        return 2, int(self.logged_at.timestamp() * 1000)

    def key(self) -> bytes:
        return b"key"

    def value(self) -> bytes | None:
        return self.content

    def headers(self) -> list | None:
        return self.with_headers or None
