"""Appending purchases to the log, landing them, and reading what landed: what tests of bronze and silver share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from confluent_kafka import Producer

from ingestion import events
from ingestion.codec import Codec
from ingestion.contracts import TOPICS
from ingestion.landing import BronzeFile, Landed, files, land, pending, read_file
from ingestion.producer import EventProducer
from outlay.db import session
from outlay.settings import Settings


def land_all(
    here: Settings, topics: Sequence[str] = TOPICS, registry_url: str | None = None, **limits: int
) -> list[Landed]:
    """Land everything. `limits`: `max_rows` and `max_bytes` of a file."""
    return land(
        bootstrap=here.bootstrap,
        registry_url=registry_url or here.registry,
        lake=here.lake,
        connect=lambda: session("pipeline"),
        topics=topics,
        **limits,
    )


def waiting(here: Settings) -> dict[str, int]:
    with session("pipeline") as connection:
        return pending(bootstrap=here.bootstrap, connection=connection, topics=TOPICS)


def landed_files(topic: str, kind: str = "events") -> list[BronzeFile]:
    with session("pipeline") as connection:
        return files(connection, topic, kind=kind)


def rows_of(here: Settings, topic: str, kind: str = "events") -> Iterator[dict]:
    for file in landed_files(topic, kind):
        yield from read_file(here.lake, file)


def purchase(workspace_id: UUID, **changes: Any) -> dict[str, Any]:
    given = {
        "workspace_id": workspace_id,
        "transaction_id": events.new_id(),
        "account_id": events.derived_id(workspace_id, "account"),
        "kind": "expense",
        "occurred_on": date(2026, 1, 2),
        "amount": Decimal("1.2300"),
        "currency": "EUR",
        "source": "app",
        "description": "Käse ☕",
    }
    return events.transaction(**(given | changes))


def append_encoded(here: Settings, key: UUID, *values: bytes | None, topic: str = "transaction") -> None:
    """Append bytes in this order, whatever they are, to the partition of a workspace."""
    producer = Producer({"bootstrap.servers": here.bootstrap, "partitioner": "murmur2_random"})
    for value in values:
        producer.produce(topic, value, key=str(key).encode())
    assert producer.flush(30) == 0


def encoded(here: Settings, *given: dict[str, Any], topic: str = "transaction") -> list[bytes]:
    codec = Codec(here.registry)
    return [codec.encode(topic, event) for event in given]


def append(here: Settings, *appended: dict[str, Any], topic: str = "transaction") -> None:
    with EventProducer(here.bootstrap, Codec(here.registry)) as producer:
        for event in appended:
            producer.send(topic, event)
        assert producer.flush(30) == 0
