"""The purchases that benchmarks write to the log: of many households, and cheap to make."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ingestion import events
from ingestion.codec import Codec
from ingestion.contracts import TOPICS
from ingestion.landing import land
from ingestion.producer import EventProducer
from outlay.db import session
from outlay.ledger.backlog import backlog
from outlay.settings import settings

TOPIC = "transaction"
_SHAPES = 10_000  # of all purchases: what differs beside the ids
_PATIENCE = 60  # seconds


def purchase(workspace: UUID, account: UUID, number: int) -> dict[str, Any]:
    return events.transaction(
        workspace_id=workspace,
        transaction_id=events.derived_id(workspace, number),
        event_id=events.derived_id(workspace, "recorded", number),
        account_id=account,
        kind="expense",
        occurred_on=date(2026, 1, 1) + timedelta(days=number % 365),
        amount=Decimal(100 + number % 9_900) / 100,
        currency="CAD",
        source="import",
        merchant="Corner Bakery",
        description=f"CORNER BAKERY #{number % 500:03} TORONTO ON",
        category_id="food.groceries",
        category_source="rule",
        category_confidence=0.9,
        decided_by="bench",
    )


def write(count: int, *, households: int = 1_000) -> None:
    """Write `count` purchases to the transaction topic of the running stack."""
    here = settings()
    codec = Codec(here.registry)
    with EventProducer(here.bootstrap, codec, client_id="bench", linger=0.02) as producer:
        for event, _, value in encoded(codec, count, households=households):
            producer.send_encoded(TOPIC, event, value)
        acknowledged(producer)


def acknowledged(producer: EventProducer) -> None:
    """Return when Kafka has all that was sent, or say so and end."""
    if producer.flush(120):
        raise SystemExit("Kafka has not acknowledged all events: see `outlay status`")


def wait_until_read() -> None:
    """Return when live has read every purchase; without a projector that comes further, say so and end."""
    unread, deadline = backlog()[TOPIC]["unread"], time.monotonic() + _PATIENCE
    while unread:
        time.sleep(0.5)
        left = backlog()[TOPIC]["unread"]
        if left < unread:
            unread, deadline = left, time.monotonic() + _PATIENCE
        elif time.monotonic() > deadline:
            raise SystemExit(f"live has read none of {unread:,} events for {_PATIENCE} s: `outlay up --only live`")


def encoded(codec: Codec, count: int, *, households: int = 1_000) -> Iterator[tuple[dict[str, Any], UUID, bytes]]:
    """Purchases, each with its transaction and its Avro. Of the event, only the workspace is to be used."""
    whose = [(events.new_id(), events.new_id()) for _ in range(households)]
    shapes = [_cut(codec, purchase(*whose[n % households], n)) for n in range(max(households, _SHAPES))]
    ids = random.Random(events.new_id().int)  # noqa: S311
    for number in range(count):
        event, parts = shapes[number % len(shapes)]
        event_id, transaction = (UUID(int=ids.getrandbits(128), version=4) for _ in range(2))
        value = b"".join((parts[0], str(event_id).encode(), parts[1], str(transaction).encode(), parts[2]))
        yield event, transaction, value


def _cut(codec: Codec, event: dict[str, Any]) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """The event with its Avro around the two ids that each purchase has of its own: the event's, its transaction's."""
    return event, around(codec.encode(TOPIC, event), event["event_id"], event["transaction_id"])


def around(value: bytes, *ids: UUID) -> tuple[bytes, ...]:
    """What stands before, between and after these ids, which come in this order: others can be put in their places."""
    parts = []
    for each in ids:
        before, value = value.split(str(each).encode())
        parts.append(before)
    return *parts, value


def land_all() -> None:
    """Land what every topic holds."""
    here = settings()
    land(
        bootstrap=here.bootstrap,
        registry_url=here.registry,
        lake=here.lake,
        connect=lambda: session("pipeline"),
        topics=TOPICS,
    )
