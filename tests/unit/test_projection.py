"""What the projector makes of one message, and how it tells an outage."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from ingestion import events
from ingestion.codec import Unreadable
from ingestion.projection.loop import _Outage
from ingestion.projection.merge import statements
from ingestion.projection.records import COLUMNS, read, state

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LOGGED = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@dataclass
class Message:
    """A message as confluent-kafka hands it out."""

    value_: bytes
    headers_: list = field(default_factory=list)

    def topic(self) -> str:
        return "transaction"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 42

    def timestamp(self) -> tuple[int, int]:
        return 2, int(LOGGED.timestamp() * 1000)

    def key(self) -> bytes:
        return b"key"

    def value(self) -> bytes:
        return self.value_

    def headers(self) -> list | None:
        return self.headers_ or None


class Decodes:
    def __init__(self, outcome: dict | Exception):
        self.outcome = outcome

    def decode(self, topic: str, value: bytes) -> dict:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


PURCHASE = events.transaction(
    event_id=UUID(int=9),
    workspace_id=None,
    transaction_id=UUID(int=2),
    account_id=UUID(int=3),
    kind="expense",
    occurred_on=date(2026, 5, 1),
    occurred_at_local=datetime(2026, 5, 1, 14, 30),  # noqa: DTZ001
    amount=Decimal("4.5000"),
    currency="EUR",
    source="app",
    recorded_at=NOW,
    lines=[events.line(Decimal("4.5000"), line_id=UUID(int=4))],
)


def test_an_event_becomes_a_row_with_its_place_and_own_fields():
    record = read(Message(b"value"), "topic-1", Decodes(PURCHASE))
    row = dict(zip(COLUMNS, record.row, strict=True))
    assert (row["topic"], row["topic_id"], row["partition"], row["offset"]) == ("transaction", "topic-1", 3, 42)
    assert row["logged_at"] == LOGGED
    assert (row["entity"], row["entity_id"], row["event_id"]) == ("transaction", UUID(int=2), UUID(int=9))
    assert row["workspace_id"] == events.NIL
    assert record.reason is None


def test_the_state_is_the_events_own_fields_exact_and_without_the_envelope():
    own = json.loads(state(PURCHASE))
    assert own["amount"] == "4.5000"
    assert own["lines"] == [{"line_id": str(UUID(int=4)), "category_id": None, "amount": "4.5000", "note": None}]
    assert (own["occurred_on"], own["occurred_at_local"]) == ("2026-05-01", "2026-05-01T14:30:00")
    assert own["transaction_id"] == str(UUID(int=2))
    assert not set(own) & set(events.ENVELOPE)
    assert set(own) | set(events.ENVELOPE) == set(PURCHASE)


def test_what_cannot_be_read_becomes_a_dead_letter_with_its_original_bytes():
    record = read(Message(b"\xff", [("h", b"1")]), "topic-1", Decodes(Unreadable("not an event")))
    assert (record.row, record.reason) == (None, "not an event")
    assert (record.key, record.value, record.headers) == (b"key", b"\xff", [("h", b"1")])
    assert (record.partition, record.offset, record.logged_at) == (3, 42, LOGGED)


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over():
    outage = _Outage()
    with capture_logs() as told:
        outage.over()
        waits = [outage.begun(KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))) for _ in range(20)]
        outage.over()
        outage.over()
    assert [line["event"] for line in told] == ["a server is away, trying again", "the server is back"]
    assert told[0]["kind"] == "KafkaException"
    assert 0 < waits[0] < waits[-1] <= 5


def test_every_statement_of_the_merge_is_named():
    assert {"session", "stand", "move", "copy", "decide", "events", "transactions", "lines", "notify"} <= set(statements())
    assert all(statement and not statement.startswith("-- name") for statement in statements().values())
