"""Fuzzed messages for every topic, from a seed: the same seed and contracts give the same messages.

Most are a valid event with one field changed to a boundary, rare or wrong value. A message is put together from the
encoded fields of a pool of events, so that a core makes tens of thousands of them in a second.

Events of one thing are all sent to one partition, as their order, and so each decision, follows from the log alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from itertools import accumulate
from random import Random
from typing import NamedTuple
from uuid import UUID

from fastavro import parse_schema, schemaless_writer

from ingestion import contracts, events
from tests.chaos.fuzz_values import number, padded, run, valid, variants

Headers = list[tuple[str, bytes | None]] | None
LIMIT = 1_048_588
"""Bytes of the largest record batch that the broker takes by default."""
_OVERHEAD = 1_000  # bytes of a batch and a record beside the value, with room
_LARGE = 12, 12_500  # messages near the broker's limit: at least so many in a run, and one of so many
_RING = 5_000  # events that are kept, to come again
_WORKSPACES = 600
_FRAME = 5
_NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
_TOPICS = {"transaction": 60, "user": 18, "report": 11, "reminder": 11}
NAMES = {topic: [field["name"] for field in contracts.schema(topic)["fields"]] for topic in contracts.TOPICS}
"""The fields of each topic's contract, in their order."""
_ENTITY = {topic: NAMES[topic].index(name) for topic, name in events.ENTITY_ID.items()}
_VERSION = {topic: place + 1 for topic, place in _ENTITY.items()}
_EVENT, _WORKSPACE = 0, 1


class Fuzzed(NamedTuple):
    """A message to send. `kind` says how it was made, `detail` more of it: the field and its value."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    kind: str
    detail: str


class _Event(NamedTuple):
    """A valid event as its encoded fields, and where it was sent."""

    topic: str
    partition: int
    key: bytes
    fields: list[bytes]
    version: int


class Change(NamedTuple):
    """What one field is changed to."""

    topic: str
    place: int
    name: str
    content: bytes


ONE_FIELD = "one field changed"


class Fuzz:
    """Makes messages.

    Args:
        seed: of everything that is drawn.
        ids: the registered schema of each topic.
        newer, older: topic to the id of its registered `newer_schema` or `older_schema`.
        foreign: ids of registered schemas that are no topic's.
        partitions: of each topic.
    """

    def __init__(
        self,
        seed: int,
        ids: Mapping[str, int],
        *,
        newer: Mapping[str, int],
        older: Mapping[str, int],
        foreign: tuple[int, ...] = (),
        partitions: int = 12,
    ):
        self._chance = Random(seed)  # noqa: S311
        self._frames = {topic: _frame(number) for topic, number in ids.items()}
        self._newer = {topic: _frame(number) for topic, number in newer.items()}
        self._older = {topic: _frame(number) for topic, number in older.items()}
        self._foreign = [_frame(number) for number in foreign]
        self._partitions = partitions
        self._workspaces = [str(self._uuid()).encode() for _ in range(_WORKSPACES)]
        self._pool = {topic: [encoded_fields(topic, event) for event in pool] for topic, pool in _pool().items()}
        self.changes = [change for topic in contracts.TOPICS for change in _changes(topic)]
        """Every change of one field that there is."""
        self._deck: list[Change] = []
        self._ring: list[_Event] = []
        self._made = 0
        kinds: dict[Callable[[], Fuzzed], float] = {
            self._one_field: 52, self._valid: 11, self._again: 4, self._other_content: 2, self._amended: 5,
            self._stale: 4, self._flipped: 6, self._cut: 5, self._trailing: 2, self._magic: 1, self._unknown_schema: 1,
            self._other_topic: 1.5, self._foreign_schema: 0.5, self._tombstone: 1, self._empty: 0.5, self._noise: 1.5,
            self._odd_key: 1, self._odd_headers: 1, self._of_newer: 1, self._of_older: 1,
        }  # fmt: skip
        self._kinds, self._weights = list(kinds), list(accumulate(kinds.values()))
        self._topics, self._topic_weights = list(_TOPICS), list(accumulate(_TOPICS.values()))
        self._oversize = _oversize(self._pool, self._frames)

    def messages(self, count: int) -> Iterator[Fuzzed]:
        choices, kinds, weights = self._chance.choices, self._kinds, self._weights
        every = min(max(1, count // _LARGE[0]), _LARGE[1])
        for position in range(count):
            if not self._ring:
                yield self._valid()
            elif position % every == every // 2:
                yield self._large()
            else:
                yield choices(kinds, cum_weights=weights)[0]()

    # What is valid

    def _fresh(self, topic: str | None = None) -> _Event:
        chance = self._chance
        topic = topic or chance.choices(self._topics, cum_weights=self._topic_weights)[0]
        place = int(chance.random() * _WORKSPACES)
        workspace = self._workspaces[place]
        pool = self._pool[topic]
        fields = pool[int(chance.random() * len(pool))].copy()
        fields[_EVENT] = self._id()
        fields[_WORKSPACE] = b"\2\x48" + workspace
        fields[_ENTITY[topic]] = self._id()
        return _Event(topic, place % self._partitions, workspace, fields, 3)

    def _id(self) -> bytes:
        digits = f"{self._chance.getrandbits(128):032x}"
        return f"\x48{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".encode()

    def _uuid(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128))

    def _value(self, event: _Event) -> bytes:
        return self._frames[event.topic] + b"".join(event.fields)

    def _sent(self, event: _Event, value: bytes | None, kind: str, detail: str = "") -> Fuzzed:
        return Fuzzed(event.topic, event.partition, event.key, value, None, kind, detail or event.topic)

    def _valid(self) -> Fuzzed:
        event = self._fresh()
        self._keep(event)
        return self._sent(event, self._value(event), "valid")

    def _keep(self, event: _Event) -> None:
        if len(self._ring) < _RING:
            self._ring.append(event)
        else:
            self._ring[int(self._chance.random() * _RING)] = event

    def _known(self) -> _Event:
        return self._ring[int(self._chance.random() * len(self._ring))]

    def _again(self) -> Fuzzed:
        event = self._known()
        return self._sent(event, self._value(event), "sent again")

    def _other_content(self) -> Fuzzed:
        """The same event_id with a higher version: still a duplicate."""
        event = self._known()
        fields = event.fields.copy()
        fields[_VERSION[event.topic]] = number(event.version + 10)
        return self._sent(event, self._value(event._replace(fields=fields)), "same id, other content")

    def _amended(self) -> Fuzzed:
        event = self._next(self._known(), 1)
        self._keep(event)
        return self._sent(event, self._value(event), "amended")

    def _stale(self) -> Fuzzed:
        event = self._next(self._known(), -self._chance.randint(0, 2))
        return self._sent(event, self._value(event), "late")

    def _next(self, event: _Event, step: int) -> _Event:
        fields = event.fields.copy()
        fields[_EVENT] = self._id()
        fields[_VERSION[event.topic]] = number(event.version + step)
        return event._replace(fields=fields, version=event.version + step)

    # One field changed

    def _one_field(self) -> Fuzzed:
        """Every value of every field in turn, in an order that is drawn anew each time round."""
        if not self._deck:
            self._deck = self.changes.copy()
            self._chance.shuffle(self._deck)
        change = self._deck.pop()
        event = self._fresh(change.topic)
        event.fields[change.place] = change.content
        return self._sent(event, self._value(event), ONE_FIELD, change.name)

    # Damaged bytes

    def _flipped(self) -> Fuzzed:
        event, chance = self._fresh(), self._chance
        value = bytearray(self._value(event))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            value[chance.randrange(_FRAME, len(value))] ^= 1 << chance.randrange(8)
        return self._sent(event, bytes(value), "bits flipped")

    def _cut(self) -> Fuzzed:
        event = self._fresh()
        value = self._value(event)
        return self._sent(event, value[: self._chance.randrange(1, len(value))], "truncated")

    def _trailing(self) -> Fuzzed:
        event = self._fresh()
        more = self._chance.randbytes(self._chance.randrange(1, 20))
        return self._sent(event, self._value(event) + more, "trailing bytes")

    def _magic(self) -> Fuzzed:
        event = self._fresh()
        return self._sent(event, bytes([self._chance.randrange(1, 256)]) + self._value(event)[1:], "wrong magic byte")

    def _unknown_schema(self) -> Fuzzed:
        event, chance = self._fresh(), self._chance
        number = chance.choice((0, 4_242, (1 << 31) - 1, 1 << 31, (1 << 32) - 1))
        if chance.random() < 0.01:  # each id that was never asked for costs a request
            number = chance.randrange(1 << 20, 1 << 32)
        return self._sent(event, _frame(number) + self._value(event)[_FRAME:], "unknown schema id")

    def _other_topic(self) -> Fuzzed:
        """A schema id of another topic, with its own bytes or with ours."""
        event, chance = self._fresh(), self._chance
        other = chance.choice([topic for topic in contracts.TOPICS if topic != event.topic])
        body = self._value(event) if chance.random() < 0.5 else self._value(self._fresh(other))
        return self._sent(event, self._frames[other] + body[_FRAME:], "schema id of another topic")

    def _foreign_schema(self) -> Fuzzed:
        event = self._fresh()
        frame = self._chance.choice(self._foreign) if self._foreign else _frame(4_242)
        return self._sent(event, frame + self._value(event)[_FRAME:], "schema of somebody else")

    def _tombstone(self) -> Fuzzed:
        return self._sent(self._fresh(), None, "tombstone")

    def _empty(self) -> Fuzzed:
        event = self._fresh()
        return self._sent(event, self._value(event)[: self._chance.choice((0, 0, 1, 4, 5))], "empty")

    def _noise(self) -> Fuzzed:
        event, chance = self._fresh(), self._chance
        noise = chance.randbytes(chance.randrange(1, 400))
        if chance.random() < 0.5:
            noise = self._frames[event.topic] + noise
        return self._sent(event, noise, "random bytes")

    # Around the value

    def _odd_key(self) -> Fuzzed:
        chance = self._chance
        name, key = chance.choice(
            (
                ("null", None),
                ("empty", b""),
                ("binary", b"\xff\x00\xfe"),
                ("of 20 kB", chance.randbytes(20_000) if chance.random() < 0.1 else b"\0" * 20),
            )
        )
        return self._valid_or_cut()._replace(key=key, kind="odd key", detail=name)

    def _odd_headers(self) -> Fuzzed:
        name, headers = self._chance.choice(
            (
                ("value null", [("h", None), ("h", b"")]),
                ("binary", [("h", b"\xff\x00"), ("名 \U0010ffff", b"\0" * 50)]),
                ("a name that is empty", [("", b"1"), ("", None)]),
                ("a name that JSON escapes", [('"\\\n\x01', b"1")]),
                ("many", [(f"h{place % 7}", bytes([place])) for place in range(200)]),
            )
        )
        return self._valid_or_cut()._replace(headers=headers, kind="odd headers", detail=name)

    def _valid_or_cut(self) -> Fuzzed:
        event = self._fresh()
        value = self._value(event)
        return self._sent(event, value if self._chance.random() < 0.5 else value[:-1], "")

    def _of_newer(self) -> Fuzzed:
        event = self._fresh(self._chance.choice(list(self._newer)))
        mood = valid(NEW_FIELD["type"])
        return self._sent(event, self._newer[event.topic] + b"".join(event.fields) + mood, "a newer schema")

    def _of_older(self) -> Fuzzed:
        event = self._fresh(self._chance.choice(list(self._older)))
        return self._sent(event, self._older[event.topic] + b"".join(event.fields[:-1]), "an older schema")

    def _large(self) -> Fuzzed:
        """Each kind in turn: a short run reaches them all."""
        name, topic, place, content = self._oversize[self._made % len(self._oversize)]
        self._made += 1
        event = self._fresh(topic)
        if place is None:
            return self._sent(event, content, "near the broker's limit", name)
        event.fields[place] = content
        return self._sent(event, self._value(event), "near the broker's limit", name)


NEW_FIELD = {"name": "mood", "type": ["null", "string"], "default": None}


def newer_schema(topic: str) -> dict:
    """The topic's contract as a later version may have it."""
    schema = deepcopy(contracts.schema(topic))
    schema["fields"].append(NEW_FIELD)
    return schema


def older_schema(topic: str) -> dict:
    """The topic's contract as an earlier version may have had it: without its last field, which has a default."""
    schema = deepcopy(contracts.schema(topic))
    schema["fields"].pop()
    return schema


_FOUR = {"type": "fixed", "name": "Four", "size": 4}
FOREIGN = (
    {
        "type": "record",
        "name": "Sensor",
        "fields": [{"name": "id", "type": {"type": "fixed", "name": "Id", "size": 4}}],
    },
    {"type": "record", "name": "Note", "fields": [{"name": "text", "type": "string"}]},
    {
        "type": "record",
        "name": "TransactionEvent",
        "namespace": "outlay.events",
        "fields": [{"name": "event_id", "type": "string"}, {"name": "amount", "type": "double"}],
    },
)
"""Schemas of other programs that share the registry; the last one takes the name of a contract."""


def _frame(schema_id: int) -> bytes:
    return struct.pack(">bI", 0, schema_id)


def encoded_fields(topic: str, event: Mapping) -> list[bytes]:
    """The event's fields, each encoded by itself."""
    fields = []
    for field in contracts.schema(topic)["fields"]:
        out = BytesIO()
        schemaless_writer(out, parse_schema(field["type"]), event[field["name"]])
        fields.append(out.getvalue())
    return fields


def _changes(topic: str) -> list[Change]:
    """Each field of the contract, changed to each value of its type."""
    return [
        Change(topic, place, f"{topic}.{field['name']}: {name}", content)
        for place, field in enumerate(contracts.schema(topic)["fields"])
        for name, content in variants(field["type"]).items()
    ]


def _oversize(
    pool: Mapping[str, list[list[bytes]]], frames: Mapping[str, bytes]
) -> list[tuple[str, str, int | None, bytes]]:
    """Name, topic, place of the field (None: the whole value), and content."""
    room = LIMIT - _OVERHEAD - max(len(b"".join(fields)) for all_of in pool.values() for fields in all_of)
    chance = Random(11)  # noqa: S311
    half = room // 2
    large: list[tuple[str, str, str | None, bytes]] = [
        ("a text", "transaction", "description", b"\2" + run("ü".encode() * half)),
        ("a text that does not get smaller", "transaction", "note", b"\2" + run(chance.randbytes(half).hex().encode())),
        ("a category", "transaction", "category_id", b"\2" + run(chance.randbytes(half).hex().encode())),
        ("empty tags", "transaction", "tags", number(room - 10) + bytes(room - 10) + b"\0"),
        ("a decimal", "transaction", "amount", run(b"\x7f" * room)),
        ("random bytes", "user", None, frames["user"] + chance.randbytes(room)),
        ("a name with NUL", "report", "parameters", number(1) + run(b"k" * (room - 20) + b"\0") + run(b"") + b"\0"),
        ("a name", "report", "parameters", number(1) + run(b"k" * (room - 20)) + run(b"") + b"\0"),
        ("another magic byte", "reminder", None, b"\1" * room),
        ("a number without end", "reminder", "version", b"\x80" * room),
        ("a number of many bytes", "reminder", "about", padded(1, room)),
    ]
    return [(name, topic, field and NAMES[topic].index(field), content) for name, topic, field, content in large]


def _pool() -> dict[str, list[dict]]:
    """Events of every shape that the contracts allow; ids are put in later."""
    thing, other = UUID(int=1), UUID(int=2)
    same = {"workspace_id": thing, "source": "app", "recorded_at": _NOW, "occurred_at": _NOW}
    spent = {"transaction_id": thing, "account_id": other, "kind": "expense", "occurred_on": date(2026, 5, 1)}
    lines = [{"line_id": UUID(int=n), "category_id": "food", "amount": Decimal("6.1700"), "note": None} for n in (4, 5)]
    file = {"attachment_id": other, "sha256": "0" * 64, "media_type": "image/png", "name": "Bon.png"}

    def purchase(**changes: object) -> dict:
        given = {"amount": Decimal("12.3400"), "currency": "EUR", "version": 3} | spent | same
        return events.transaction(**(given | changes))

    budget = {
        "name": None, "category_id": None, "member_id": other, "period": "monthly", "starts_on": date(2026, 1, 1),
        "amount": Decimal("400.0000"), "currency": "EUR", "rollover": True,
    }  # fmt: skip
    states = {
        "user": {"name": "Ada", "email": None, "locale": "de-DE", "time_zone": "Europe/Berlin"},
        "workspace": {"name": "Home", "currency": "EUR", "time_zone": None},
        "membership": {"user_id": other, "role": "owner"},
        "account": {"name": "Visa", "type": "card", "currency": "EUR", "institution": None, "owner_id": None},
        "category": {"category_id": "own", "name": "Own", "parent_id": None},
        "rule": {"name": None, "position": 0, "definition": "{}"},
        "budget": budget,
        "preference": {"name": "theme", "value": '"dark"'},
    }
    return {
        "transaction": [
            purchase(),
            purchase(source="simulator", merchant="Käse & Söhne", description="KÄSE 4711", mcc="5411"),
            purchase(source="feed", category_id="food.groceries", category_source="model", category_confidence=0.75),
            purchase(amount=Decimal("-900.0000"), kind="income", operation="amended", external_id="bank-1"),
            purchase(posted_on=date(2026, 5, 3), occurred_at_local=datetime(2026, 5, 1, 14, 30), tags=["a", "b"]),  # noqa: DTZ001
            purchase(lines=lines, attachments=[file], refund_of=other, transfer_pair=other, import_id=other),
            purchase(operation="voided", note="☕", counterparty="Joe", decided_by="rule-1", correlation_id="c"),
        ],
        "user": [
            events.entity(entity=entity, entity_id=thing, state=state, version=3, **same)
            for entity, state in states.items()
        ],
        "report": [
            events.report(report_id=thing, version=3, name="monthly", parameters={"month": "5"}, **same),
            events.report(report_id=thing, version=3, name="yearly", operation="failed", error="no", **same),
        ],
        "reminder": [
            events.reminder(reminder_id=thing, version=3, about="rent", due_at=_NOW, **same),
            events.reminder(reminder_id=thing, version=3, about=None, due_at=_NOW, repeat="FREQ=DAILY", **same),
        ],
    }
