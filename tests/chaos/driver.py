"""Seeded random traffic: what is sent, and what Kafka said of each message."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from confluent_kafka import KafkaError, Message, Producer

from ingestion import events
from ingestion.codec import Codec, RegistryUnavailable
from ingestion.producer import KAFKA_LOG, reliable

NUMBER = "chaos"
"""The header that holds a message's number: by it the log is compared with what was acknowledged."""

_WRITERS = 2
_REMEMBERED = 400  # things that later events are about: old ones rest, so that things have short and long lives
_CURRENCIES = ("EUR", "USD", "JPY")
_LOCAL = datetime.fromisoformat("2026-03-29T02:30:00")  # a local time has no zone
_CATEGORIES = (None, "food.groceries", "food.restaurants", "transport.fuel")


class Sent(NamedTuple):
    """A message as it was handed to Kafka; `event` and `storable` are as in `model.Message`."""

    number: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    event: dict[str, Any] | None
    storable: bool


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int


@dataclass
class _Thing:
    topic: str
    highest: int
    events: list[dict[str, Any]]


@dataclass
class Acknowledgements:
    """Where Kafka put each message, by number (offset -1: it did not say), and why it did not take the others."""

    places: dict[int, Place] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)


class Traffic:
    """Two writers that send at once about the same things, from `start` to `stop`, unless they are paused.

    Args:
        bootstrap: Kafka's bootstrap servers.
        codec: encodes the events.
        seed: of all that is random, but for the ids of the workspaces, which are new in each run.
        rate: messages a second of both writers together, bursts not counted.
        workspaces: each has its events in one partition of each topic.
        hostile: whether to send what a fresh installation alone should hold: instants of other centuries, and events
            that PostgreSQL cannot store.
    """

    def __init__(
        self, bootstrap: str, codec: Codec, *, seed: int, rate: float = 100, workspaces: int = 6, hostile: bool = False
    ):
        self.sent: list[Sent] = []
        self.said = Acknowledgements()
        self.aborted: set[int] = set()
        self._bootstrap, self._codec, self._seed, self._rate, self._hostile = bootstrap, codec, seed, rate, hostile
        self._workspaces = [uuid4() for _ in range(workspaces)]
        self._things: list[_Thing] = []
        self._lock = threading.Lock()
        self._flowing, self._stop = threading.Event(), threading.Event()
        self._idle = [threading.Event() for _ in range(_WRITERS)]
        self._producers = [self._producer(f"chaos-{number}") for number in range(_WRITERS)]
        self._threads = [
            threading.Thread(target=self._write, args=(number,), name=f"writer-{number}", daemon=True)
            for number in range(_WRITERS)
        ]

    def start(self) -> None:
        """Begin to send. From here on the registry may be away: the schemas of what is sent are known."""
        self._learn_schemas()
        self._flowing.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._flowing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(30)

    def pause(self, seconds: float = 150) -> None:
        """Send nothing more, and wait until Kafka has answered for all that was sent."""
        self._flowing.clear()
        assert all(thread.is_alive() for thread in self._threads), "a writer has ended"
        for idle in self._idle:
            assert idle.wait(30), "a writer does not pause"
        for producer in self._producers:
            assert producer.flush(seconds) == 0, "Kafka did not answer for all messages"

    def resume(self) -> None:
        for idle in self._idle:
            idle.clear()
        self._flowing.set()

    def send(self, *messages: Sent) -> list[Place]:
        """Send these in this order, and return where they stand in the log."""
        producer = self._producers[0]
        for message in messages:
            self.produce(producer, message)
        assert producer.flush(150) == 0
        return [self.said.places[message.number] for message in messages]

    def produce(self, producer: Producer, message: Sent, *, aborted: bool = False) -> None:
        """Hand a message to a producer, which may be one of a transaction that will be aborted."""
        if aborted:
            self.aborted.add(message.number)

        def report(error: KafkaError | None, delivered: Message) -> None:
            if error is not None:
                self.said.errors[message.number] = error.str()
                return
            offset = -1 if delivered.offset() is None else delivered.offset()
            self.said.places[message.number] = Place(message.topic, delivered.partition(), offset)

        while True:
            try:
                given = {"key": message.key, "headers": list(message.headers), "on_delivery": report}
                return producer.produce(message.topic, message.value, **given)
            except BufferError:
                producer.poll(0.05)

    def some(self, rng: Random, count: int) -> list[Sent]:
        """Random messages, numbered, to be sent by the caller."""
        return [self._next(rng) for _ in range(count)]

    def pair(self, rng: Random) -> list[Sent]:
        """An event and garbage in one partition."""
        workspace = rng.choice(self._workspaces)
        with self._lock:
            new = self._event_of(self._new(rng, workspace))
        return [new, self._numbered("transaction", new.key, b"\xff" + rng.randbytes(20), None)]

    def burst(self, rng: Random, recorded_at: datetime, count: int) -> list[Sent]:
        """New expenses that somebody waits for, recorded by a clock that is wrong."""
        with self._lock:
            made = [self._new(rng, rng.choice(self._workspaces), recorded_at=recorded_at) for _ in range(count)]
        return [self._event_of(each) for each in made]

    def _producer(self, client_id: str) -> Producer:
        return Producer(reliable(self._bootstrap, client_id=client_id, delivery_timeout=120), logger=KAFKA_LOG)

    def _learn_schemas(self, seconds: float = 60) -> None:
        """The registry may just be coming back, when the run before killed the database that it keeps them in."""
        rng, deadline = Random(self._seed), time.monotonic() + seconds  # noqa: S311
        workspace = self._workspaces[0]
        made = {
            "transaction": self._transaction(rng, workspace),
            "user": self._account(rng, workspace),
            "reminder": self._reminder(rng, workspace),
        }
        for topic, event in made.items():
            while True:
                try:
                    self._codec.encode(topic, event)
                    break
                except RegistryUnavailable:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)

    def _write(self, writer: int) -> None:
        rng = Random(f"{self._seed}/{writer}")  # noqa: S311
        producer, idle = self._producers[writer], self._idle[writer]
        while not self._stop.is_set():
            if not self._flowing.is_set():
                idle.set()
                self._flowing.wait()
                continue
            count = rng.randint(100, 400) if rng.random() < 0.001 else 1
            for message in self.some(rng, count):
                self.produce(producer, message)
            producer.poll(0)
            self._stop.wait(rng.expovariate(self._rate / _WRITERS))
        producer.flush(30)
        idle.set()

    def _next(self, rng: Random) -> Sent:
        with self._lock:
            kind = rng.random()
            if kind < 0.03:
                return self._garbage(rng)
            if self._hostile and kind < 0.032:
                return self._unstorable(rng)
            if kind < 0.45 or not self._things:
                return self._event_of(self._new(rng, rng.choice(self._workspaces)))
            thing = rng.choice(self._things)
            last = thing.events[-1]
            if kind < 0.70:  # the next version; now and then one is left out, to come later
                return self._event_of((thing.topic, self._later(rng, thing, thing.highest + rng.choice((1, 1, 1, 2)))))
            if kind < 0.78:  # a version that was passed, or is the current one
                return self._event_of((thing.topic, self._later(rng, thing, rng.randint(1, thing.highest))))
            if kind < 0.90:  # a retry
                return self._event_of((thing.topic, rng.choice(thing.events)))
            if kind < 0.95:  # the same id with another content, and perhaps another version
                changed = self._later(rng, thing, thing.highest + rng.choice((0, 0, 1)), remember=False)
                return self._event_of((thing.topic, changed | {"event_id": last["event_id"]}))
            return self._event_of((thing.topic, last))

    def _new(self, rng: Random, workspace: UUID, **changes: Any) -> tuple[str, dict[str, Any]]:
        which = rng.random() if not changes else 1.0
        if which < 0.05:
            topic, event = "user", self._account(rng, workspace)
        elif which < 0.10:
            topic, event = "reminder", self._reminder(rng, workspace)
        else:
            topic, event = "transaction", self._transaction(rng, workspace, **changes)
        self._things.append(_Thing(topic, event["version"], [event]))
        if len(self._things) > _REMEMBERED:
            self._things.pop(rng.randrange(len(self._things)))
        return topic, event

    def _later(self, rng: Random, thing: _Thing, version: int, *, remember: bool = True) -> dict[str, Any]:
        """Another event of the thing, with other contents."""
        last = thing.events[-1]
        changes = {"event_id": _id(rng), "version": version}
        if thing.topic == "transaction":
            operation = rng.choice(("amended", "amended", "amended", "voided", "restored"))
            same = {name: last[name] for name in ("workspace_id", "transaction_id")}
            event = self._transaction(rng, **same, operation=operation, **changes)
        elif thing.topic == "user":
            event = self._account(rng, last["workspace_id"]) | {"entity_id": last["entity_id"]} | changes
            event["operation"] = rng.choice(("updated", "deleted"))
        else:
            event = self._reminder(rng, last["workspace_id"]) | {"reminder_id": last["reminder_id"]} | changes
            event["operation"] = rng.choice(("snoozed", "cancelled"))
        if remember:
            thing.events.append(event)
            thing.highest = max(thing.highest, version)
        return event

    def _transaction(self, rng: Random, workspace_id: UUID, **changes: Any) -> dict[str, Any]:
        amount = Decimal(rng.randint(0, 5_000_000)).scaleb(-4)
        given: dict[str, Any] = {
            "workspace_id": workspace_id,
            "transaction_id": _id(rng),
            "event_id": _id(rng),
            "account_id": events.derived_id(workspace_id, rng.randrange(3)),
            "kind": "expense",
            "occurred_on": date(2026, 1, 1) + timedelta(days=rng.randrange(300)),
            "amount": amount,
            "currency": rng.choice(_CURRENCIES),
            "category_id": rng.choice(_CATEGORIES),
            "source": rng.choice(("app", "simulator", "feed")),
            "description": rng.choice((None, "Käse ☕", "a 'quoted' \\ one", f"{rng.random()}")),
            "note": rng.choice((None, "\t\n", "x" * rng.randrange(300))),
            "tags": rng.choice(((), ("a",), ("b, c", "{d}"))),
            "category_confidence": rng.choice((None, 0.1, rng.random())),
            "occurred_at_local": rng.choice((None, _LOCAL + timedelta(microseconds=rng.randrange(10**12)))),
            "external_id": rng.choice((None, f"{rng.getrandbits(40)}")),
            "occurred_at": _now(),
            "recorded_at": _now(),
        }
        if rng.random() < 0.2:
            first = (amount / 3).quantize(Decimal("0.0001"))
            given["lines"] = [
                events.line(part, line_id=_id(rng), category_id=rng.choice(_CATEGORIES), note=rng.choice((None, "n")))
                for part in (first, amount - first)
            ]
        return events.transaction(**(given | changes))

    def _account(self, rng: Random, workspace_id: UUID) -> dict[str, Any]:
        state = {"name": rng.choice(("Visa", "Ärger", None)), "type": "card", "currency": "EUR", "institution": None,
                 "owner_id": None}  # fmt: skip
        given = {"workspace_id": workspace_id, "event_id": _id(rng), "source": "app", "recorded_at": _now()}
        return events.entity(entity="account", entity_id=_id(rng), state=state, **given)

    def _reminder(self, rng: Random, workspace_id: UUID) -> dict[str, Any]:
        given = {"workspace_id": workspace_id, "event_id": _id(rng), "source": "app", "recorded_at": _now()}
        return events.reminder(reminder_id=_id(rng), due_at=_now(), about=f"{rng.random()}", **given)

    def _garbage(self, rng: Random) -> Sent:
        """What is no event of its topic, in each way that the codec knows."""
        topic, workspace = rng.choice(("transaction", "transaction", "user")), rng.choice(self._workspaces)
        good = self._codec.encode("transaction", self._transaction(rng, workspace))
        value = rng.choice(
            (
                None,
                b"",
                b"\xff" + rng.randbytes(rng.randrange(200)),
                b"\0" + (2_000_000_000 + rng.randrange(1000)).to_bytes(4, "big") + rng.randbytes(30),
                good[: rng.randrange(6, len(good))],
                good + b"\0",
            )
        )
        key = rng.choice((None, str(workspace).encode())) if self._hostile else str(workspace).encode()
        return self._numbered(topic, key, value, None)

    def _unstorable(self, rng: Random) -> Sent:
        """An event whose category is longer than an index of PostgreSQL takes."""
        event = self._transaction(rng, rng.choice(self._workspaces), category_id=rng.randbytes(6_000).hex(), lines=())
        return self._event_of(("transaction", event), storable=False)

    def _event_of(self, made: tuple[str, dict[str, Any]], *, storable: bool = True) -> Sent:
        topic, event = made
        return self._numbered(
            topic, events.key(topic, event), self._codec.encode(topic, event), event, storable=storable
        )

    def _numbered(
        self, topic: str, key: bytes | None, value: bytes | None, event: dict | None, *, storable=True
    ) -> Sent:
        with _NUMBERS:
            number = len(self.sent)
            headers: list[tuple[str, bytes | None]] = [(NUMBER, str(number).encode())]
            if number % 7 == 0:
                headers += [("empty", None), ("bytes", os.urandom(4))]
            message = Sent(number, topic, key, value, tuple(headers), event, storable)
            self.sent.append(message)
        return message


_NUMBERS = threading.Lock()


def numbers(headers: Iterator[tuple[str, bytes | None]]) -> list[int]:
    """The numbers in a message's headers."""
    return [int(value) for name, value in headers if name == NUMBER]


def _id(rng: Random) -> UUID:
    return UUID(int=rng.getrandbits(128), version=4)


def _now() -> datetime:
    return datetime.now(UTC)
