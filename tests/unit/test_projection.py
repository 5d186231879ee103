"""What the projector makes of one message, and how it tells an outage."""

from __future__ import annotations

import json
import random
import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from unittest.mock import Mock
from uuid import UUID

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from ingestion import contracts, events
from ingestion.codec import FRAME, Unreadable
from ingestion.projection.lane import Lane
from ingestion.projection.log import Partition
from ingestion.projection.merge import statements
from ingestion.projection.outages import Outages
from ingestion.projection.records import Reader, read
from ingestion.projection.rows import state
from tests.unit.encoded import Message, encoded, knowing_codec, others, purchase, transactions

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LOGGED = Message.logged_at


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


def unpacked(row: bytes) -> list[bytes | None]:
    """The fields of a row of PostgreSQL's binary COPY."""
    (count,), at, fields = struct.unpack_from(">h", row), 2, []
    for _ in range(count):
        (length,) = struct.unpack_from(">i", row, at)
        fields.append(None if length < 0 else row[at + 4 : at + 4 + length])
        at += 4 + max(length, 0)
    assert at == len(row)
    return fields


def test_an_event_becomes_a_row_with_its_place_and_own_fields():
    record = read(Message(b"value"), "topic-1", Decodes(PURCHASE))
    is_split, topic, topic_id, partition, offset, logged_at, *ids = unpacked(record.row)
    workspace_id, event_id, entity, entity_id, *_ = ids
    assert is_split == b"\1"
    assert (topic, topic_id, partition[-1], offset[-1]) == (b"transaction", b"topic-1", 3, 42)
    since_2000 = timedelta(microseconds=int.from_bytes(logged_at, "big"))
    assert datetime(2000, 1, 1, tzinfo=UTC) + since_2000 == LOGGED
    assert (entity, entity_id, event_id) == (b"transaction", UUID(int=2).bytes, UUID(int=9).bytes)
    assert workspace_id == events.NIL.bytes
    assert (record.reason, record.recorded_at) == (None, NOW)


def in_order(values: list[bytes | None]) -> list[Message]:
    return [Message(value, number=number) for number, value in enumerate(values)]


def test_many_read_together_are_what_each_is_by_itself():
    codec = knowing_codec()
    largest = purchase(amount=Decimal("-99999999999999.9999"), kind="income")
    messages = in_order([encoded("transaction", event) for event in (*transactions(), largest)] * 20)
    messages += [Message(encoded(topic, event), of=topic) for topic, event in others()] * 70
    messages += in_order([None, b"", b"\0\0\0\0\1", b"garbage", encoded("transaction", PURCHASE | {"note": "a\0"})])
    ids = dict.fromkeys(contracts.TOPICS, "log")
    decoded, codec.decode = codec.decode, Mock(wraps=codec.decode)
    together = Reader(codec, ids).read(messages)
    one_by_one = codec.decode.call_count
    codec.decode = decoded
    assert together == [read(message, "log", codec) for message in messages]
    assert one_by_one == 5 + 3 * 20  # the damaged ones, and of the shapes: tags, lines, an amount of eight bytes


@pytest.mark.parametrize("seed", range(3))
def test_damaged_values_read_together_are_what_each_is_by_itself(seed):
    codec, chance = knowing_codec(), random.Random(seed)  # noqa: S311
    values = []
    for value in (encoded("transaction", event) for event in transactions()):
        for place in range(FRAME, len(value)):
            changed = bytearray(value)
            changed[place] = chance.choice((0, 1, 2, 3, 65, 127, 128, 255, changed[place] ^ (1 << chance.randrange(8))))
            values += [bytes(changed), value]
    messages = in_order(values)
    read_one = [read(message, "log", codec) for message in messages]
    assert Reader(codec, {"transaction": "log"}).read(messages) == read_one
    assert 0.3 < sum(record.row is None for record in read_one) / len(values) < 0.7


def test_the_state_is_the_events_own_fields_exact_and_without_the_envelope():
    own = json.loads(state(PURCHASE))
    assert own["amount"] == "4.5000"
    assert own["lines"] == [{"line_id": str(UUID(int=4)), "category_id": None, "amount": "4.5000", "note": None}]
    assert (own["occurred_on"], own["occurred_at_local"]) == ("2026-05-01", "2026-05-01T14:30:00")
    assert own["transaction_id"] == str(UUID(int=2))
    assert not set(own) & set(events.ENVELOPE)
    assert set(own) | set(events.ENVELOPE) == {name for name, value in PURCHASE.items() if value is not None} | set(
        events.ENVELOPE
    )


def test_the_state_names_its_fields_in_the_order_that_jsonb_keeps_them():
    """PostgreSQL sorts them otherwise, for each event."""
    names = list(json.loads(state(PURCHASE)))
    assert len(names) > 10
    assert names == sorted(names, key=lambda name: (len(name), name))


def test_what_cannot_be_read_becomes_a_dead_letter_with_its_original_bytes():
    record = read(Message(b"\xff", with_headers=[("h", b"1")]), "topic-1", Decodes(Unreadable("not an event")))
    assert (record.row, record.reason) == (None, "not an event")
    assert (record.key, record.value, record.headers) == (b"key", b"\xff", [("h", b"1")])
    assert (record.partition, record.offset, record.logged_at) == (3, 42, LOGGED)


AWAY = KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over():
    outages, lane = Outages(), Lane(0, of=2)
    with capture_logs() as told:
        outages.over(lane)
        waits = [outages.begun(lane, AWAY) for _ in range(20)]
        outages.over(lane)
        outages.over(lane)
    assert [line["event"] for line in told] == ["a server is away, trying again", "the server is back"]
    assert told[0]["kind"] == "KafkaException"
    assert 0 < waits[0] < waits[-1] <= 5


def test_a_lane_says_nothing_of_anothers_outage_and_its_end_is_told_where_that_lane_is_no_more():
    outages = Outages()
    with capture_logs() as told:
        outages.begun(Lane(1, of=2), AWAY)
        outages.over(Lane(0, of=2))
        assert [(line["event"], line["lane"]) for line in told] == [("a server is away, trying again", 1)]
        outages.over(Lane(0, of=1))
    assert [(line["event"], line["lane"]) for line in told[1:]] == [("the server is back", 1)]


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_each_partition_is_one_lanes_and_a_workspaces_partitions_are_the_same_lanes(lanes):
    positions = {Partition(topic, number): number for topic in ("transaction", "user") for number in range(12)}
    parts = [Lane(number, lanes).part(positions) for number in range(lanes)]
    assert sum(map(len, parts)) == len(positions)
    assert {place: offset for part in parts for place, offset in part.items()} == positions
    for part in parts:
        assert {p.partition for p in part if p.topic == "user"} == {p.partition for p in part if p.topic != "user"}


def test_every_statement_of_the_merge_is_named():
    assert {"session", "stand", "move", "copy", "decide", "events", "transactions", "add", "lines", "notify"} <= set(
        statements()
    )
    assert all(statement and not statement.startswith("-- name") for statement in statements().values())
