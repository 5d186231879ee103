"""Every kind of message that somebody may put into the log, and what live makes of it, to the letter."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import KafkaError, Message, Producer
from psycopg.rows import dict_row

from ingestion import contracts, events
from ingestion.codec import Codec
from ingestion.registry import Incompatible, register
from outlay.settings import Settings
from tests.chaos.fuzz import LIMIT, NAMES, encoded_fields
from tests.chaos.fuzz_values import INCOMPRESSIBLE, number
from tests.chaos.fuzz_values import run as text
from tests.chaos.fuzz_view import view_from_here
from tests.integration.projecting import projector
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]

WORKSPACE = uuid4()
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLACED = ("event_id", "topic_id", "partition", "offset")
HEADERS = [("from", b"test"), ("empty", None)]


@dataclass
class Frames:
    """The first five bytes of what is written with the contracts, and with other schemas of the registry."""

    transaction: bytes
    user: bytes
    grown: bytes  # the contract with one more kind of transaction
    other_amount: bytes  # a schema of the contract's name whose amount is a double

    def id_of(self, name: str) -> int:
        return int.from_bytes(getattr(self, name), "big")


@dataclass
class Input:
    """A message: the purchase with these fields put in as bytes, or what `made` makes of the purchase's bytes.

    `reason` is that of its dead letter, with the ids of schemas to be filled in; else `shown` are columns of
    live.transactions.
    """

    fields: dict[str, bytes] = field(default_factory=dict)
    made: Any = None
    frame: str = "transaction"
    reason: str | None = None
    shown: dict[str, Any] = field(default_factory=dict)


MEGABYTE = "x" * (LIMIT - 2_000)
INPUTS = {
    "a plain event": Input(shown={"amount": Decimal("12.3400"), "currency": "EUR", "version": 1}),
    "a tombstone": Input(made=lambda _: None, reason="expected an event, got a null value (a tombstone)"),
    "nothing": Input(
        made=lambda _: b"", reason="expected magic byte 0 and a schema id, got 0 bytes starting empty"
    ),
    "another magic byte": Input(
        made=lambda value: b"\1abcd",
        reason="expected magic byte 0 and a schema id, got 5 bytes starting 0161626364",
    ),
    "an unknown schema id": Input(
        made=lambda value: b"\0\x7f\xff\xff\xff" + value[5:], reason="its schema id 2147483647 is not in the registry"
    ),
    "the largest schema id": Input(
        made=lambda value: b"\0\xff\xff\xff\xff" + value[5:], reason="its schema id 4294967295 is not in the registry"
    ),
    "another topic's schema id": Input(
        frame="user", reason="expected outlay.events.TransactionEvent, got outlay.events.UserEvent by its schema"
    ),
    "truncated by a byte": Input(
        made=lambda value: value[:-1], reason="not Avro of schema {transaction}: IndexError: index out of range"
    ),
    "trailing bytes": Input(made=lambda value: value + b"xyz", reason="3 bytes are left over after the event"),
    "NUL in a text": Input(
        {"description": b"\2" + text(b"a\0b")},
        reason=r"description: holds a NUL character, which PostgreSQL cannot store: 'a\x00b'",
    ),
    "a text that is not UTF-8": Input(
        {"description": b"\2" + text(b"a\xff")},
        reason="not Avro of schema {transaction}: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in "
        "position 1: invalid start byte",
    ),
    "a lone surrogate": Input(
        {"merchant": b"\2" + text(b"\xed\xa0\x80")},
        reason="not Avro of schema {transaction}: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xed in "
        "position 0: invalid continuation byte",
    ),
    "a text of a negative length": Input(
        {"note": b"\2" + number(-5) + b"abcde"}, reason="note: expected a length of at most 11 bytes, got -5"
    ),
    "a text near the broker's limit": Input({"note": b"\2" + text(MEGABYTE.encode())}, shown={"note": MEGABYTE}),
    "what JSON, COPY and SQL escape": Input(
        {"note": b"\2" + text(b"\\N \\u0000 \\\\ \t\"'; DROP {} \x01\x7f")},
        shown={"note": "\\N \\u0000 \\\\ \t\"'; DROP {} \x01\x7f"},
    ),
    "the largest decimal": Input(
        {"amount": text((10**18 - 1).to_bytes(8, "big"))}, shown={"amount": Decimal("99999999999999.9999")}
    ),
    "a decimal above the largest": Input(
        {"amount": text((10**18).to_bytes(8, "big"))},
        reason="amount: expected at most 14 digits before the point, got 100000000000000.000",
    ),
    "a decimal below the least": Input(
        {"amount": text((-(10**18)).to_bytes(8, "big", signed=True))},
        reason="amount: expected at most 14 digits before the point, got -100000000000000.000",
    ),
    "a decimal without a byte": Input(
        {"amount": text(b"")}, reason="amount: expected a decimal of 1 to 32 bytes, got 0"
    ),
    "a decimal of a megabyte": Input(
        {"amount": text(b"\x7f" * 1_000_000)}, reason="amount: expected a decimal of 1 to 32 bytes, got 1000000"
    ),
    "NaN in a decimal's place": Input(  # three bytes are a number, whatever they are as text
        {"amount": text(b"NaN")}, shown={"amount": Decimal(int.from_bytes(b"NaN", "big")).scaleb(-4)}
    ),
    "NaN as confidence": Input(
        {"category_confidence": b"\2" + struct.pack("<d", math.nan)}, shown={"category_confidence": None}
    ),
    "an infinite confidence": Input(
        {"category_confidence": b"\2" + struct.pack("<d", -math.inf)}, shown={"category_confidence": None}
    ),
    "an unknown currency": Input({"currency": text(b"XQZ")}, shown={"currency": "XQZ"}),
    "no currency": Input({"currency": text(b"")}, shown={"currency": ""}),
    "year 1": Input(
        {"occurred_on": number(-719_162), "occurred_at_local": b"\2" + number(-719_162 * 86_400_000_000)},
        shown={"occurred_on": date.min, "occurred_at_local": datetime.min},  # noqa: DTZ901
    ),
    "year 9999": Input(
        {"occurred_on": number(2_932_896), "recorded_at": number(2_932_897 * 86_400_000_000 - 1)},
        shown={"occurred_on": date.max, "recorded_at": datetime.max.replace(tzinfo=UTC)},
    ),
    "the day before year 1": Input(
        {"occurred_on": number(-719_163)}, reason="not Avro of schema {transaction}: ValueError: ordinal must be >= 1"
    ),
    "year 10000": Input(
        {"occurred_on": number(2_932_897)},
        reason="not Avro of schema {transaction}: ValueError: year 10000 is out of range",
    ),
    "an instant after year 9999": Input(
        {"recorded_at": number(2_932_897 * 86_400_000_000)},
        reason="not Avro of schema {transaction}: OverflowError: date value out of range",
    ),
    "a version beyond 32 bits": Input(
        {"version": number(1 << 31)}, reason="version: expected a number of 32 bits, got bytes 8080808010"
    ),
    "the least version": Input({"version": number(-(1 << 31))}, shown={"version": -(1 << 31)}),
    "an unknown symbol": Input({"kind": number(5)}, reason="kind: expected one of 5 numbered from 0, got 5"),
    "a symbol counted from the end": Input(
        {"kind": number(-1)}, reason="kind: expected one of 5 numbered from 0, got -1"
    ),
    "a symbol of a newer schema": Input({"kind": number(5)}, frame="grown", shown={"kind": "unknown"}),
    "an incompatible schema": Input(
        frame="other_amount",
        reason="its schema id {other_amount} cannot be used: NotConforming: it is no version of the contract: "
        "amount: its type changes from double to decimal(18,4)",
    ),
    "a UUID in another form": Input(
        {"account_id": text(b"{00000000-0000-0000-0000-000000000003}")},
        reason="account_id: expected a UUID of 36 characters in lower case, got "
        "b'{00000000-0000-0000-0000-000000000003}'",
    ),
    "a UUID in capitals": Input(
        {"account_id": text(b"ABCDEF00-0000-0000-0000-000000000003")},
        reason="account_id: expected a UUID of 36 characters in lower case, got "
        "b'ABCDEF00-0000-0000-0000-000000000003'",
    ),
    "a list in a block that says its size": Input(
        {"tags": number(-2) + number(5) + text(b"a") + text("ü".encode()) + b"\0"}, shown={"tags": ["a", "ü"]}
    ),
    "a category that no index holds": Input(
        {"category_id": b"\2" + text(INCOMPRESSIBLE)},
        reason="live's totals take a category and a currency of at most 2000 bytes together, got 8003",
    ),
    "a long category that can be compressed": Input(
        {"category_id": b"\2" + text(b"food" * 5_000)},
        reason="live's totals take a category and a currency of at most 2000 bytes together, got 20003",
    ),
    "the longest category": Input({"category_id": b"\2" + text(INCOMPRESSIBLE[:1_997])}, shown={
        "category_id": INCOMPRESSIBLE[:1_997].decode()
    }),
    "an event after all of these": Input(shown={"amount": Decimal("12.3400")}),
}  # fmt: skip


def purchase(name: str) -> list[bytes]:
    return encoded_fields(
        "transaction",
        events.transaction(
            workspace_id=WORKSPACE,
            transaction_id=events.derived_id(WORKSPACE, name),
            event_id=events.derived_id(WORKSPACE, name, "event"),
            account_id=UUID(int=3),
            kind="expense",
            occurred_on=date(2026, 5, 1),
            amount=Decimal("12.3400"),
            currency="EUR",
            source="feed",
            recorded_at=NOW,
            occurred_at=NOW,
        ),
    )


def value(name: str, given: Input, frames: Frames) -> bytes | None:
    fields = purchase(name)
    for changed, content in given.fields.items():
        fields[NAMES["transaction"].index(changed)] = content
    whole = getattr(frames, given.frame) + b"".join(fields)
    return given.made(whole) if given.made else whole


def changed_contract(name: str, **changes: Any) -> dict:
    schema = deepcopy(contracts.schema("transaction"))
    next(each for each in schema["fields"] if each["name"] == name).update(changes)
    return schema


@pytest.fixture(scope="module")
def frames(stack) -> Frames:
    kind = next(each["type"] for each in contracts.schema("transaction")["fields"] if each["name"] == "kind")
    grown = changed_contract("kind", type=kind | {"symbols": [*kind["symbols"], "gift"]})
    ids = {
        "transaction": register(stack.registry, "transaction", contracts.schema("transaction")),
        "user": register(stack.registry, "user", contracts.schema("user")),
        "grown": register(stack.registry, "test-inputs-grown", grown),
        "other_amount": register(stack.registry, "test-inputs-other", changed_contract("amount", type="double")),
    }
    return Frames(**{name: struct.pack(">bI", 0, schema_id) for name, schema_id in ids.items()})


@dataclass
class View:
    """A view of its own, and the sending of what it is to read. A place is a partition and an offset."""

    stack: Settings
    dsn: str

    def send(self, values: Sequence[bytes | None]) -> list[tuple[int, int]]:
        """Append to `transaction`; returns the places in their order."""
        sent: list[Message] = []
        given = {"bootstrap.servers": self.stack.bootstrap, "enable.idempotence": True, "message.max.bytes": LIMIT}
        producer = Producer(given)
        for content in values:
            producer.produce(
                "transaction",
                content,
                key=str(WORKSPACE).encode(),
                headers=HEADERS,
                on_delivery=lambda error, message: sent.append(message),
            )
        assert producer.flush(60) == 0
        assert [message.error() for message in sent if message.error()] == []
        return [(message.partition(), message.offset()) for message in sent]

    def rows(self, query: str, *values: Any) -> list[dict]:
        with psycopg.connect(self.dsn, row_factory=dict_row) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(query, values).fetchall()

    def decision(self, place: tuple[int, int]) -> str | None:
        query = 'SELECT decision FROM live.events WHERE topic = %s AND partition = %s AND "offset" = %s'
        found = self.rows(query, "transaction", *place)
        return found[0]["decision"] if found else None

    def wait(self, places: Sequence[tuple[int, int]]) -> None:
        def reached() -> bool:
            found = self.rows("SELECT partition, next_offset FROM live.offsets WHERE topic = 'transaction'")
            next_offsets = {row["partition"]: row["next_offset"] for row in found}
            return all(next_offsets[partition] > offset for partition, offset in places)

        until(reached, what="live has read everything", seconds=60)


@pytest.fixture(scope="module")
def view(stack) -> Iterator[View]:
    with view_from_here(stack) as (dsn, _), projector(stack, dsn):
        yield View(stack, dsn)


@pytest.fixture(scope="module")
def outcomes(view, frames) -> dict[str, tuple[bytes | None, dict | None, dict | None]]:
    """Name to the value that was sent, and its event or its dead letter."""
    values = {name: value(name, given, frames) for name, given in INPUTS.items()}
    places = view.send(list(values.values()))
    view.wait(places)
    found = {(row["partition"], row["offset"]): row for row in view.rows("SELECT * FROM live.events")}
    letters = {(row["partition"], row["offset"]): row for row in view.rows("SELECT * FROM live.dead_letters")}
    return {
        name: (content, found.get(place), letters.get(place))
        for (name, content), place in zip(values.items(), places, strict=True)
    }


@pytest.mark.parametrize("name", [name for name, given in INPUTS.items() if given.reason is not None])
def test_this_input_becomes_a_dead_letter_with_its_bytes_and_this_reason(outcomes, frames, name):
    content, event, letter = outcomes[name]
    assert event is None
    assert (letter["topic"], letter["key"], letter["value"]) == ("transaction", str(WORKSPACE).encode(), content)
    assert [(name, value and b64decode(value)) for name, value in letter["headers"]] == HEADERS
    ids = {of: frames.id_of(of) for of in ("transaction", "other_amount")}
    expected = INPUTS[name].reason
    assert letter["reason"] == (expected.format(**ids) if "schema" in expected else expected)


@pytest.mark.parametrize("name", [name for name, given in INPUTS.items() if given.reason is None])
def test_this_input_is_accepted_and_shown_exactly(view, outcomes, name):
    _, event, letter = outcomes[name]
    assert letter is None
    assert event["decision"] == "accepted"
    [row] = view.rows(
        "SELECT * FROM live.transactions WHERE workspace_id = %s AND transaction_id = %s",
        WORKSPACE,
        events.derived_id(WORKSPACE, name),
    )
    shown = INPUTS[name].shown
    assert {column: row[column] for column in shown} == shown
    assert [row[column] for column in PLACED] == [event[column] for column in PLACED]


def test_a_burst_of_nothing_but_poison_is_all_dead_letters_in_order_and_the_next_event_counts(view, frames):
    poison = {name: given for name, given in INPUTS.items() if given.reason is not None and "megabyte" not in name}
    burst = [value(name, given, frames) for name, given in poison.items()] * 100
    places = view.send([*burst, value("after the burst", Input(), frames)])
    view.wait(places)
    first, last = places[0], places[-1]
    assert {partition for partition, _ in places} == {first[0]}
    letters = view.rows(
        'SELECT "offset", value FROM live.dead_letters WHERE topic = %s AND partition = %s AND "offset" >= %s '
        'ORDER BY "offset"',
        "transaction",
        *first,
    )
    assert [(letter["offset"], letter["value"]) for letter in letters] == [
        (offset, content) for (_, offset), content in zip(places[:-1], burst, strict=True)
    ]
    assert view.decision(last) == "accepted"


def test_a_version_that_live_cannot_hold_is_a_dead_letter_though_a_later_one_stands_in_its_batch(view, frames):
    name = "two versions"
    given = {"version": number(1)}, {"version": number(2), "event_id": text(str(uuid4()).encode())}
    first, second = (value(name, Input(fields), frames) for fields in given)
    too_long = value(name, INPUTS["a category that no index holds"], frames)
    places = view.send([too_long, second, first])
    view.wait(places)
    assert [view.decision(place) for place in places] == [None, "accepted", "stale"]


def test_what_is_larger_than_the_broker_takes_is_refused_before_it_is_in_the_log(stack):
    told: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": stack.bootstrap, "message.max.bytes": 4 << 20})
    producer.produce("transaction", b"\0" * (2 << 20), on_delivery=lambda error, _: told.append(error))
    assert producer.flush(30) == 0
    assert [error.code() for error in told] == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_an_incompatible_schema_is_not_registered(stack):
    with pytest.raises(Incompatible, match=r"amount: its type changes from decimal\(18,4\) to double"):
        register(stack.registry, "transaction", changed_contract("amount", type="double"))
    assert Codec(stack.registry)._id("transaction") == register(
        stack.registry, "transaction", contracts.schema("transaction")
    )
