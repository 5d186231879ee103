"""Events survive the way through bytes; schemas grow without breaking readers; what is no event is told."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from uuid import UUID, uuid4

import pytest
from fastavro import parse_schema, schemaless_writer

from ingestion import contracts, events
from ingestion.codec import Codec, NotRegistered, RegistryUnavailable, Unreadable
from ingestion.conformance import NotConforming

NOW = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
WORKSPACE = UUID(int=1)


class Registry:
    """The part of the Confluent protocol that readers and writers use, over HTTP; `asked` counts the requests."""

    def __init__(self):
        self.schemas: dict[int, dict] = {}
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.asked.append(self.path)
                schema_id = int(self.path.partition("?")[0].rpartition("/")[2])
                found = registry.schemas.get(schema_id)
                self.answer(found and {"schema": json.dumps(found)})

            def do_POST(self):
                registry.asked.append(self.path)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                wanted = json.loads(body["schema"])
                ids = [schema_id for schema_id, schema in registry.schemas.items() if schema == wanted]
                subject = self.path.partition("?")[0].rpartition("/")[2]
                self.answer({"subject": subject, "id": ids[0], "version": 1, "schema": body["schema"]} if ids else None)

            def answer(self, body: dict | None):
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.end_headers()
                self.wfile.write(json.dumps(body or {"error_code": 40403, "message": "Schema not found"}).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def register(self, schema: dict) -> int:
        schema_id = len(self.schemas) + 1
        self.schemas[schema_id] = deepcopy(schema)
        return schema_id

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    for topic in contracts.TOPICS:
        registry.register(contracts.schema(topic))
    yield registry
    registry.stop()


@pytest.fixture
def codec(registry) -> Codec:
    return Codec(registry.url)


def purchase(**changes) -> dict:
    given = dict(
        workspace_id=WORKSPACE,
        transaction_id=uuid4(),
        account_id=uuid4(),
        kind="expense",
        occurred_on=date(2026, 5, 1),
        amount=Decimal("4.5000"),
        currency="EUR",
        source="app",
        recorded_at=NOW,
    )
    return events.transaction(**{**given, **changes})


ACCOUNT = {"name": "Visa", "type": "card", "currency": "EUR", "institution": None, "owner_id": uuid4()}
BUDGET = {
    "name": "Food",
    "category_id": "food",
    "member_id": None,
    "period": "monthly",
    "starts_on": date(2026, 1, 1),
    "amount": Decimal("400.0000"),
    "currency": "EUR",
    "rollover": True,
}
EXAMPLES = {
    "a bare transaction": ("transaction", purchase()),
    "a full transaction": (
        "transaction",
        purchase(
            occurred_at_local=datetime(2026, 5, 1, 14, 30),  # noqa: DTZ001
            posted_on=date(2026, 5, 3),
            merchant="Joe's ☕",
            category_id="food.coffee",
            category_source="model",
            category_confidence=0.75,
            tags=["a", "b"],
            lines=[events.line(Decimal("4.5000"), line_id=uuid4(), note="x")],
            attachments=[{"attachment_id": uuid4(), "sha256": "0", "media_type": "image/png", "name": None}],
            refund_of=uuid4(),
            amount=Decimal("99999999999999.9999"),
            actor_id=uuid4(),
            external_id="mine",
        ),
    ),
    "an account": (
        "user",
        events.entity(entity="account", entity_id=uuid4(), state=ACCOUNT, workspace_id=WORKSPACE, source="app"),
    ),
    "a budget": (
        "user",
        events.entity(entity="budget", entity_id=uuid4(), state=BUDGET, workspace_id=WORKSPACE, source="app"),
    ),
    "a report": (
        "report",
        events.report(
            workspace_id=WORKSPACE, report_id=uuid4(), name="monthly", parameters={"month": "5"}, source="app"
        ),
    ),
    "a reminder": (
        "reminder",
        events.reminder(workspace_id=WORKSPACE, reminder_id=uuid4(), due_at=NOW, about="rent", source="app"),
    ),
}


@pytest.mark.parametrize(("topic", "event"), EXAMPLES.values(), ids=EXAMPLES)
def test_an_event_comes_back_as_it_was(codec, topic, event):
    value = codec.encode(topic, event)
    assert value[0] == 0
    assert codec.decode(topic, value) == event
    assert codec.decode(topic, value, as_written=True) == event
    assert codec.writer_schema(codec.schema_id(value)) == contracts.schema(topic)


def test_the_registry_is_asked_once_for_each_schema_and_never_to_register(codec, registry):
    for _ in range(5):
        codec.decode("transaction", codec.encode("transaction", purchase()))
    assert [path.partition("?")[0] for path in registry.asked] == ["/subjects/transaction-value", "/schemas/ids/2"]


def test_what_is_known_goes_on_while_the_registry_is_down(codec, registry):
    value = codec.encode("transaction", purchase())
    codec.decode("transaction", value)
    registry.stop()
    event = purchase()
    assert codec.decode("transaction", codec.encode("transaction", event)) == event
    with pytest.raises(RegistryUnavailable, match=f"the schema registry at {registry.url} does not answer .*outlay up"):
        codec.encode("report", EXAMPLES["a report"][1])
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        codec.decode("report", b"\0\0\0\0\x09...")


def test_a_registry_without_our_schema_is_not_given_it(codec, registry):
    registry.schemas.clear()
    with pytest.raises(NotRegistered, match=r"transaction-value is not registered at .* run `outlay up`"):
        codec.encode("transaction", purchase())
    assert registry.schemas == {}


def newer(schema: dict) -> dict:
    """The contract of a later version: one more source of events, one more nullable field."""
    schema = deepcopy(schema)
    source = next(field for field in schema["fields"] if field["name"] == "source")
    source["type"]["symbols"].append("telepathy")
    schema["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    return schema


def older(schema: dict) -> dict:
    """The contract of an earlier version: without the tags."""
    schema = deepcopy(schema)
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "tags"]
    return schema


def written(registry: Registry, schema: dict, event: dict) -> bytes:
    out = BytesIO()
    schemaless_writer(out, parse_schema(deepcopy(schema)), event)
    return b"\0" + registry.register(schema).to_bytes(4, "big") + out.getvalue()


def test_an_event_of_a_newer_writer_is_read_and_kept_as_written(codec, registry):
    event = {**purchase(), "source": "telepathy", "mood": "good"}
    value = written(registry, newer(contracts.schema("transaction")), event)
    read = codec.decode("transaction", value)
    assert read["source"] == "unknown"
    assert "mood" not in read
    assert codec.decode("transaction", value, as_written=True) == event


def test_an_event_of_an_older_writer_gets_the_defaults(codec, registry):
    event = purchase(tags=["gone"])
    value = written(registry, older(contracts.schema("transaction")), {k: v for k, v in event.items() if k != "tags"})
    assert codec.decode("transaction", value) == {**event, "tags": []}
    assert "tags" not in codec.decode("transaction", value, as_written=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"occurred_at": datetime(2026, 5, 1)}, "occurred_at: expected a datetime with a time zone, got datetime "),  # noqa: DTZ001
        ({"occurred_at_local": NOW}, "occurred_at_local: expected a datetime without a time zone"),
        ({"occurred_on": NOW}, "occurred_on: expected a date, got datetime"),
        ({"amount": Decimal("1.23456")}, "amount: expected at most 4 digits after the point, got 1.23456"),
        ({"amount": Decimal("1E14")}, "amount: expected at most 14 digits before the point"),
        ({"amount": Decimal("NaN")}, "amount: expected a finite Decimal, got NaN"),
        ({"amount": 1.5}, "amount: expected a Decimal, got float '1.5'"),
        ({"transaction_id": "7"}, "transaction_id: expected a UUID, got str '7'"),
        ({"kind": "gift"}, "kind: expected one of unknown, expense, refund, income, transfer; got 'gift'"),
        ({"version": 2**31}, "version: expected an integer of 32 bits, got 2147483648"),
        ({"note": "a\0b"}, r"note: holds a NUL character, which PostgreSQL cannot store: 'a\\x00b'"),
        ({"tags": ["ok", "\0"]}, "tags.1: holds a NUL character"),
        ({"lines": [{"line_id": uuid4(), "amount": 1}]}, "lines.0.amount: expected a Decimal, got int '1'"),
        ({"lines": [{"amount": Decimal(1)}]}, "lines.0.line_id: missing, and the contract has no default for it"),
    ],
)
def test_what_the_contract_cannot_hold_is_refused_with_the_fields_name(codec, changes, message):
    event = purchase(**{name: value for name, value in changes.items() if name != "lines"})
    event.update({name: value for name, value in changes.items() if name == "lines"})
    with pytest.raises(NotConforming, match=f"^{message}"):
        codec.encode("transaction", event)


def test_an_unknown_field_is_refused(codec):
    with pytest.raises(NotConforming, match=r"^colour: no such field in the contract"):
        codec.encode("transaction", {**purchase(), "colour": "red"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "expected an event, got a null value (a tombstone)"),
        (b"", "expected magic byte 0 and a schema id, got 0 bytes starting empty"),
        (b"{}", "expected magic byte 0 and a schema id, got 2 bytes starting 7b7d"),
        (b"\0\0\0\0\x63abc", "its schema id 99 is not in the registry"),
        (b"\0\0\0\0\x03abc", "expected outlay.events.TransactionEvent, got outlay.events.ReportEvent by its schema"),
    ],
)
def test_what_is_no_event_is_unreadable_with_the_reason(codec, value, reason):
    with pytest.raises(Unreadable) as caught:
        codec.decode("transaction", value)
    assert caught.value.reason == reason


def test_bytes_after_the_event_are_unreadable(codec):
    with pytest.raises(Unreadable, match="3 bytes are left over after the event"):
        codec.decode("transaction", codec.encode("transaction", purchase()) + b"abc")


def test_a_nul_character_that_slipped_into_the_log_is_unreadable(codec, registry):
    value = written(registry, contracts.schema("transaction"), purchase(note="a\0b"))
    with pytest.raises(Unreadable, match="note: holds a NUL character"):
        codec.decode("transaction", value)


@pytest.mark.parametrize("topic", contracts.TOPICS)
def test_damaged_bytes_are_an_event_or_unreadable_and_nothing_else(codec, topic):
    chance = random.Random(topic)  # noqa: S311
    good = [codec.encode(name, event) for name, event in EXAMPLES.values() if name == topic]
    frame = good[0][:5]
    for _ in range(3000):
        if chance.random() < 0.5:
            value = bytearray(chance.choice(good))
            for _ in range(chance.randint(1, 4)):
                value[chance.randrange(5, len(value))] = chance.randrange(256)
        else:
            value = frame + chance.randbytes(chance.randrange(300))
        event = decoded_or_reason(codec, topic, bytes(value))
        if isinstance(event, str):
            assert event, "an unreadable value has a reason"
            assert "\n" not in event
        else:
            assert codec.decode(topic, codec.encode(topic, event)) == event


def decoded_or_reason(codec: Codec, topic: str, value: bytes) -> dict | str:
    try:
        return codec.decode(topic, value)
    except Unreadable as error:
        return error.reason
