"""The ledger: the one way for people, programs and importers to append events and learn what was decided of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

import psycopg
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ingestion import contracts, rules
from ingestion.codec import Codec, NotRegistered, RegistryUnavailable
from ingestion.conformance import NotConforming
from ingestion.enrich import Enricher
from ingestion.events import NIL, derived_id, key, new_id, thing
from ingestion.producer import KAFKA_LOG, Delivery, EventProducer
from ingestion.projection.rows import state
from ingestion.reach import require
from ingestion.rules import Problem
from outlay import money
from outlay.db import session
from outlay.ledger.bulk import Appended, BulkAppend, Progress
from outlay.ledger.decisions import (
    Decision,
    First,
    await_decision,
    behind,
    current_transaction,
    first_sights,
    positions,
)
from outlay.ledger.drafts import LineDraft, TransactionDraft, amended, corrected, recorded, restored, voided
from outlay.ledger.errors import AppendStopped, KafkaUnavailable, LiveStalled, NotAllowed, NotFound, Refused
from outlay.ledger.reading import Reader
from outlay.settings import Settings, settings

__all__ = [
    "Answer",
    "AppendStopped",
    "Appended",
    "KafkaUnavailable",
    "Ledger",
    "LineDraft",
    "LiveStalled",
    "NotAllowed",
    "NotFound",
    "Problem",
    "Progress",
    "Refused",
    "TransactionDraft",
]

_WAIT = 2.0  # seconds for live to decide one event
_LOOK = 0.01  # seconds between looks at how far live is
_PATIENCE = 4  # seconds for Kafka to acknowledge one event that a person waits for
_LONG_PATIENCE = 60  # the same in a long append, which outlives a broker's restart

OWNERS, WRITERS = ("owner",), ("owner", "editor")
"""Roles: who may change a workspace and who is in it; who may change what it holds."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What became of an event, and where in the log it stands (the place of its first sight).

    `pending`: it is in the log for good, and live has not read it yet.
    """

    decision: Decision
    event_id: UUID
    entity_id: UUID
    version: int
    topic: str
    partition: int
    offset: int


class Change(TypedDict, total=False):
    """How a transaction is changed. With an `event_id` of the caller's, a retry is the same event. `wait`: seconds."""

    expected_version: Required[int]
    actor_id: Required[UUID]
    source: Required[str]
    event_id: UUID | None
    wait: float


class Ledger:
    """Appends events. Thread-safe; opened once per process, as a context manager.

    Nothing is connected until the first event, so opening it never fails. It works as whoever runs the installation;
    `acting_for` is one that works for somebody else.
    """

    def __init__(self, using: Settings | None = None):
        self._settings = using or settings()
        self._codec = Codec(self._settings.registry)
        self._line = _Line(self._settings, self._codec)
        self._user_id: UUID | None = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def acting_for(self, user_id: UUID | None) -> Ledger:
        """The same ledger for a user: it reads what they may see, and changes what their role allows.

        Every method then raises NotAllowed where it does not. None is whoever runs the installation.
        """
        theirs = copy(self)
        theirs._user_id = user_id
        return theirs

    def append(self, topic: str, event: Event, *, wait: float = _WAIT) -> Answer:
        """Append one event and wait up to `wait` seconds for what live decides of it.

        An event that live knows already gets its first answer, and nothing is appended.

        Raises:
            Refused: it does not fit the contract, breaks a rule, or its event_id was used with another content.
            KafkaUnavailable: Kafka does not acknowledge it in a few seconds. Appending the same event again is safe.
        """
        return self._append(topic, event, wait, ignoring=())

    def append_many(
        self, topic: str, events: Iterable[Event], *, on_progress: Callable[[Progress], None] | None = None
    ) -> Appended:
        """Append every event that live does not know; returns when each is acknowledged and decided.

        Takes any number of events in bounded memory. May be run again at any time: it then adds what is missing.

        Raises:
            Refused: an event does not fit the contract or breaks a rule; those before it are appended.
            KafkaUnavailable: Kafka or the registry is away; nothing was appended.
            AppendStopped: Kafka failed on the way; says how many events it has.
            LiveStalled: live, or PostgreSQL, has stood still for a minute.
        """
        ends = self._ends(topic)
        with (
            Reader(self._settings) as reader,
            EventProducer(
                self._settings.bootstrap,
                self._codec,
                client_id="outlay-bulk",
                delivery_timeout=_LONG_PATIENCE,
                linger=0.05,
            ) as producer,
        ):
            run = BulkAppend(topic, producer, reader, self.encoded, on_progress)
            run.await_caught_up(ends)
            return run.run(events)

    def record(
        self,
        draft: TransactionDraft,
        *,
        workspace_id: UUID,
        actor_id: UUID,
        source: str,
        event_id: UUID | None = None,
        transaction_id: UUID | None = None,
        correlation_id: str | None = None,
        wait: float = _WAIT,
    ) -> Answer:
        """Record a transaction, its merchant and category found where the draft leaves them open.

        A caller that may retry gives an `event_id`; the retry is then the same event and the same transaction.

        Raises:
            Refused, KafkaUnavailable: see `append`.
        """
        event_id = event_id or new_id()
        event = recorded(
            draft,
            self._enricher,
            transaction_id=transaction_id or derived_id(workspace_id, "transaction", event_id),
            event_id=event_id,
            workspace_id=workspace_id,
            actor_id=actor_id,
            source=source,
            correlation_id=correlation_id,
        )
        return self._append("transaction", event, wait, ignoring=draft.left_open)

    def amend(
        self, workspace_id: UUID, transaction_id: UUID, changes: Mapping[str, Any], **change: Unpack[Change]
    ) -> Answer:
        """Change fields of a transaction that is still at the expected version; `stale` when it is not.

        Raises:
            NotFound: the workspace has no such transaction.
            Refused: it is voided, a field cannot be changed, or the result breaks a rule.
            KafkaUnavailable: see `append`.
        """
        after = partial(amended, changes=changes, enricher=self._enricher)
        return self._change(workspace_id, transaction_id, after, **change)

    def correct(
        self, workspace_id: UUID, transaction_id: UUID, changes: Mapping[str, Any], **change: Unpack[Change]
    ) -> Answer:
        """As `amend`, and of a voided transaction too, which stays void. Errors as of `amend`."""
        after = partial(corrected, changes=changes, enricher=self._enricher)
        return self._change(workspace_id, transaction_id, after, **change)

    def void(self, workspace_id: UUID, transaction_id: UUID, **change: Unpack[Change]) -> Answer:
        """Take a transaction back: it stays in the history and counts no more. Errors as of `amend`."""
        return self._change(workspace_id, transaction_id, voided, **change)

    def restore(self, workspace_id: UUID, transaction_id: UUID, **change: Unpack[Change]) -> Answer:
        """Bring a voided transaction back as it was. Errors as of `amend`."""
        return self._change(workspace_id, transaction_id, restored, **change)

    def _change(
        self,
        workspace_id: UUID,
        transaction_id: UUID,
        after: Callable[..., Event],
        *,
        expected_version: int,
        actor_id: UUID,
        source: str,
        event_id: UUID | None = None,
        wait: float = _WAIT,
    ) -> Answer:
        with self._session(workspace_id, WRITERS) as connection:
            for first in first_sights(connection, workspace_id, event_id) if event_id else ():
                if first.entity_id == transaction_id:
                    return _answer(first, event_id)
            current = current_transaction(connection, transaction_id)
            if current is None:
                raise NotFound(transaction_id)
            if current["version"] != expected_version:
                return _overtaken(connection, workspace_id, transaction_id)
        event = after(current, actor_id=actor_id, source=source, event_id=event_id or new_id())
        return self._append("transaction", event, wait, ignoring=())

    def _append(self, topic: str, event: Event, wait: float, *, ignoring: Iterable[str]) -> Answer:
        value = self.encoded(topic, event)
        workspace_id = event["workspace_id"] or NIL
        with self._session(workspace_id, _needed(event)) as connection:
            known = first_sights(connection, workspace_id, event["event_id"])
            if not known:
                delivery = self.deliver(topic, event["event_id"], key(topic, event), value)
                if not await_decision(connection, topic, delivery.partition, delivery.offset, seconds=wait):
                    return _pending(topic, event, delivery)
                known = first_sights(connection, workspace_id, event["event_id"])
        if not known:
            message = f"live could not hold it: see the dead letter {topic}/{delivery.partition} at {delivery.offset}"
            raise Refused([Problem("storable", "event_id", message)])
        return self._first_answer(topic, event, value, known, frozenset(ignoring))

    def _first_answer(
        self, topic: str, event: Event, value: bytes, known: list[First], ignoring: frozenset[str]
    ) -> Answer:
        # What live's state leaves out is null, or a field that the contract got later: and its default holds.
        left_out = {field["name"]: field.get("default") for field in contracts.schema(topic)["fields"]}
        mine = left_out | json.loads(state(self._codec.decode(topic, value)))
        for first in known:
            theirs = left_out | first.state
            same = all(mine[name] == theirs[name] for name in mine if name not in ignoring)
            if same and thing(topic, event) == (first.entity, first.entity_id):
                return _answer(first, event["event_id"])
        message = f"event_id {event['event_id']} was used before, with another content: make a new one"
        raise Refused([Problem("event_id_unused", "event_id", message)])

    def deliver(self, topic: str, event_id: UUID, event_key: bytes, value: bytes) -> Delivery:
        """Append an event that was encoded and judged before; returns its place in the log.

        Raises:
            KafkaUnavailable: see `append`.
        """
        delivered: Future[Delivery] = Future()
        try:
            self._line.producer().send_bytes(topic, event_id, event_key, value, delivered.set_result)
            delivery = delivered.result(timeout=_PATIENCE + 2)
        except KafkaException as error:
            self._line.replace()
            raise self._unavailable(error.args[0].str()) from error
        except NotInTime:
            raise self._unavailable("no answer") from None
        if delivery.error is not None:
            raise self._unavailable(delivery.error)
        return delivery

    def encoded(self, topic: str, event: Event) -> bytes:
        """The event's bytes; refuses what does not fit the contract or breaks a rule, before anything is sent.

        Raises:
            Refused: see there. KafkaUnavailable: the schema cannot be read.
        """
        try:
            with _registry_answers():
                value = self._codec.encode(topic, event)
        except NotConforming as error:
            raise Refused([Problem("conforms", ".".join(error.path), error.problem)]) from None
        problems = rules.problems(event, self._currencies) if topic == "transaction" else ()
        if problems:
            raise Refused(problems)
        return value

    def await_level(self, topic: str, connection: psycopg.Connection, *, seconds: float) -> None:
        """Wait until live has read what is in the log now: only then is what it says the newest.

        Raises:
            LiveStalled: it has not within `seconds`. KafkaUnavailable: nobody knows what is in the log.
        """
        ends, deadline = self._ends(topic), time.monotonic() + seconds
        while behind(positions(connection, topic), ends):
            if time.monotonic() >= deadline:
                raise LiveStalled("the live view is behind the log: try again in a moment, or see `outlay status`")
            time.sleep(_LOOK)

    def _ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset that the next event will get."""
        try:
            require(self._settings.bootstrap)
            found = self._admin.list_topics(topic, timeout=_PATIENCE).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in found.partitions}
            answers = self._admin.list_offsets(asked, request_timeout=_PATIENCE)
            return {place.partition: future.result().offset for place, future in answers.items()}
        except KafkaException as error:
            raise self._unavailable(error.args[0].str()) from error

    def _unavailable(self, error: str) -> KafkaUnavailable:
        return KafkaUnavailable(
            f"Kafka at {self._settings.bootstrap} does not take events ({error}): see `outlay status`. "
            "Sending the same event again is safe"
        )

    @cached_property
    def _currencies(self) -> frozenset[str]:
        return frozenset(money.currencies())

    @cached_property
    def _enricher(self) -> Enricher:
        return Enricher(self._settings.seeds)

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._settings.bootstrap}, logger=KAFKA_LOG)

    @contextmanager
    def _session(self, workspace_id: UUID, roles: Sequence[str]) -> Iterator[psycopg.Connection]:
        """A session of whom the ledger works for.

        Raises:
            NotAllowed: they have none of these roles in the workspace.
        """
        role = "operator" if self._user_id is None else "app"
        whose = {"workspace_id": workspace_id, "user_id": self._user_id}
        with session(role, **whose, autocommit=True, using=self._settings) as connection:
            if self._user_id is not None:
                (found,) = connection.execute("SELECT live.my_role()").fetchone()
                if found not in roles:
                    raise NotAllowed(f"your role in this workspace is {found or 'none'}, which may not change it")
            yield connection


def _needed(event: Event) -> Sequence[str]:
    """The roles of those who may append it."""
    return OWNERS if event.get("entity") in ("workspace", "membership") else WRITERS


class _Line:
    """The process's one producer, opened at its first event."""

    def __init__(self, here: Settings, codec: Codec):
        self._settings, self._codec = here, codec
        self._lock = threading.Lock()
        self._opened: EventProducer | None = None

    def producer(self) -> EventProducer:
        with self._lock:
            if self._opened is None:
                require(self._settings.bootstrap)
                self._opened = EventProducer(
                    self._settings.bootstrap, self._codec, client_id="outlay-ledger", delivery_timeout=_PATIENCE
                )
            return self._opened

    def replace(self) -> None:
        """Open another one at the next event: this one has failed for good."""
        with self._lock:
            self._opened = None

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


@contextmanager
def _registry_answers() -> Iterator[None]:
    """An event that cannot be encoded for want of its schema cannot be appended: to the caller that is one failure."""
    try:
        yield
    except (RegistryUnavailable, NotRegistered) as error:
        raise KafkaUnavailable(str(error)) from error


def _answer(first: First, event_id: UUID) -> Answer:
    return Answer(first.decision, event_id, first.entity_id, first.version, first.topic, first.partition, first.offset)


def _overtaken(connection: psycopg.Connection, workspace_id: UUID, transaction_id: UUID) -> Answer:
    """The answer to a change of a version that is no longer the current one: where the current one stands."""
    event_id, version, partition, offset = connection.execute(
        'SELECT event_id, version, partition, "offset" FROM live.transactions '
        "WHERE workspace_id = %s AND transaction_id = %s",
        (workspace_id, transaction_id),
    ).fetchone()
    return Answer("stale", event_id, transaction_id, version, "transaction", partition, offset)


def _pending(topic: str, event: Event, delivery: Delivery) -> Answer:
    _, entity_id = thing(topic, event)
    return Answer("pending", event["event_id"], entity_id, event["version"], topic, delivery.partition, delivery.offset)
