"""Appending events of one workspace that somebody waits for: judged, sent together, and told what live decided."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from uuid import UUID

import psycopg

from ingestion import contracts, rules
from ingestion.codec import Codec, NotRegistered, RegistryUnavailable
from ingestion.conformance import NotConforming
from ingestion.events import NIL, key, thing
from ingestion.producer import Delivery
from ingestion.projection.rows import state
from ingestion.rules import Problem
from outlay import correlation, money
from outlay.ledger.decisions import Decision, First, await_live, first_sights
from outlay.ledger.errors import KafkaUnavailable, Refused, Taken
from outlay.ledger.line import Line, Message
from outlay.ledger.references import unknown

Event = dict[str, Any]

_LARGEST = 900_000  # bytes of an event; what the log takes is a little more

EVENT_ID_UNUSED = "event_id_unused"
"""The rule that an event_id with another content breaks."""


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
    appended: bool = field(default=False, compare=False)
    """Whether this call put it there; an event that was there before has the same answer."""


@dataclass(frozen=True)
class Posting:
    """An event on its way into the log."""

    event: Event
    left_open: Sequence[str] = ()
    """Fields that enrichment decided: they may differ when the caller retries."""
    naming: frozenset[str] = frozenset()
    """Fields in which the caller names other things of the workspace."""
    at: str = ""
    """What stands before the names of its fields, where several are appended together."""
    own_id: str | None = None
    """The caller's own id of a transaction that it records: no other one may have it."""


class Appender:
    """Thread-safe. Whom it works for, and whether they may, is the session's to say."""

    def __init__(self, codec: Codec, line: Line):
        self._codec, self._line = codec, line

    def encoded(self, topic: str, event: Event) -> bytes:
        """The event's bytes; refuses what does not fit the contract or breaks a rule, before anything is sent.

        Raises:
            Refused: see there. KafkaUnavailable: the schema cannot be read.
        """
        if event["correlation_id"] is None and (request := correlation.current()) is not None:
            event = {**event, "correlation_id": request}
        try:
            with _registry_answers():
                value = self._codec.encode(topic, event)
        except NotConforming as error:
            raise Refused([Problem("conforms", ".".join(error.path), error.problem)]) from None
        problems = rules.problems(event, self._currencies) if topic == "transaction" else []
        if len(value) > _LARGEST:
            message = f"expected an event of at most {_LARGEST:,} bytes, got {len(value):,}: shorten its texts"
            problems.append(Problem("small", "event_id", message))
        if problems:
            raise Refused(problems)
        return value

    def values(self, topic: str, postings: Sequence[Posting]) -> list[bytes]:
        """The bytes of each event.

        Raises:
            Refused: one of them does not fit; with every problem of all.
        """
        values, problems = [], []
        for posting in postings:
            try:
                values.append(self.encoded(topic, posting.event))
            except Refused as refused:
                problems += [(posting, problem) for problem in refused.problems]
        refuse(problems)
        return values

    def settled(
        self,
        connection: psycopg.Connection,
        topic: str,
        postings: Sequence[Posting],
        values: Sequence[bytes],
        wait: float,
    ) -> list[Answer | Refused]:
        """Append what live does not know, and wait for what it decides of each.

        Args:
            postings: of one workspace, that of the session; `values` has the bytes of each.
            wait: seconds.

        Returns:
            For each its answer, or why live has something else under its event_id.

        Raises:
            Refused: one names what the workspace has not. KafkaUnavailable: see `Line.deliver`.
        """
        workspace_id = postings[0].event["workspace_id"] or NIL
        known = first_sights(connection, workspace_id, [posting.event["event_id"] for posting in postings])
        new = [pair for pair in zip(postings, values, strict=True) if pair[0].event["event_id"] not in known]
        placed: dict[UUID, Delivery] = {}
        reached: dict[int, int] = {}
        taken: dict[UUID, Taken] = {}
        if new:
            by_event = {posting.event["event_id"]: posting for posting, _ in new}
            named = unknown(connection, [(posting.event, posting.naming) for posting, _ in new])
            refuse((by_event[event["event_id"]], problem) for event, problem in named)
            taken = _taken(connection, [posting for posting, _ in new])
            new = [pair for pair in new if pair[0].event["event_id"] not in taken]
        if new:
            placed = {delivery.event_id: delivery for delivery in self._line.deliver(topic, _messages(topic, new))}
            reached = await_live(connection, topic, _ends(placed.values()), seconds=wait)
            known |= first_sights(connection, workspace_id, placed)
        return [
            taken.get(posting.event["event_id"])
            or self._outcome(topic, posting, value, known, placed.get(posting.event["event_id"]), reached)
            for posting, value in zip(postings, values, strict=True)
        ]

    def _outcome(
        self,
        topic: str,
        posting: Posting,
        value: bytes,
        known: Mapping[UUID, list[First]],
        delivery: Delivery | None,
        reached: Mapping[int, int],
    ) -> Answer | Refused:
        event = posting.event
        sights = known.get(event["event_id"])
        if sights:
            return self._first_answer(topic, posting, value, sights, delivery)
        if reached.get(delivery.partition, 0) <= delivery.offset:
            return _pending(topic, event, delivery)
        message = f"live could not hold it: see the dead letter {topic}/{delivery.partition} at {delivery.offset}"
        return Refused([Problem("storable", "event_id", message)])

    def _first_answer(
        self, topic: str, posting: Posting, value: bytes, known: list[First], delivery: Delivery | None
    ) -> Answer | Refused:
        # What live's state leaves out is null, or a field that the contract got later: and its default holds.
        left_out = {field["name"]: field.get("default") for field in contracts.schema(topic)["fields"]}
        mine = left_out | json.loads(state(self._codec.decode(topic, value)))
        for first in known:
            theirs = left_out | first.state
            same = all(mine[name] == theirs[name] for name in mine if name not in posting.left_open)
            if same and thing(topic, posting.event) == (first.entity, first.entity_id):
                return answer_of(first, delivery)
        message = f"event_id {posting.event['event_id']} was used before, with another content: make a new one"
        return Refused([Problem(EVENT_ID_UNUSED, "event_id", message)])

    @cached_property
    def _currencies(self) -> frozenset[str]:
        return frozenset(money.currencies())


def refuse(found: Iterable[tuple[Posting, Problem]]) -> None:
    """Raise Refused with the problems of several postings, if there are any."""
    problems = [replace(problem, field=f"{posting.at}{problem.field}") for posting, problem in found]
    if problems:
        raise Refused(problems)


def must_differ(postings: Sequence[Posting]) -> None:
    """Refuse what comes twice: nobody could say which of the two was there before."""
    seen: dict[UUID, Posting] = {}
    problems = []
    for posting in postings:
        for name in ("transaction_id", "event_id"):
            first = seen.setdefault(posting.event[name], posting)
            if first is not posting:
                shown = "external_id" if posting.event["external_id"] and name == "transaction_id" else "event_id"
                message = f"expected each once, got {posting.event[shown]} at {first.at}{shown} too"
                problems.append((posting, Problem("once", shown, message)))
                break
    refuse(problems)


def _taken(connection: psycopg.Connection, postings: Iterable[Posting]) -> dict[UUID, Taken]:
    """By event id those whose own id another transaction has, however it came by it."""
    own = {posting.own_id: posting.event for posting in postings if posting.own_id is not None}
    if not own:
        return {}
    held = connection.execute(
        "SELECT external_id, transaction_id FROM live.transactions "
        "WHERE workspace_id = live.current_workspace() AND external_id = ANY(%s) AND length(external_id) <= 50",
        (list(own),),
    )
    return {
        own[external_id]["event_id"]: Taken(external_id, transaction_id)
        for external_id, transaction_id in held
        if own[external_id]["transaction_id"] != transaction_id
    }


def answer_of(first: First, delivery: Delivery | None = None) -> Answer:
    """What live decided at an event's first sight, which this `delivery` made or an earlier one."""
    place = (first.topic, first.partition, first.offset)
    appended = delivery is not None and place == (delivery.topic, delivery.partition, delivery.offset)
    return Answer(first.decision, first.event_id, first.entity_id, first.version, *place, appended)


def _pending(topic: str, event: Event, delivery: Delivery) -> Answer:
    _, entity_id = thing(topic, event)
    place = (topic, delivery.partition, delivery.offset)
    return Answer("pending", event["event_id"], entity_id, event["version"], *place, appended=True)


def _messages(topic: str, new: Iterable[tuple[Posting, bytes]]) -> list[Message]:
    return [Message(posting.event["event_id"], key(topic, posting.event), value) for posting, value in new]


def _ends(deliveries: Iterable[Delivery]) -> dict[int, int]:
    """Partition -> the offset after the last of these."""
    ends: dict[int, int] = {}
    for delivery in deliveries:
        ends[delivery.partition] = max(ends.get(delivery.partition, 0), delivery.offset + 1)
    return ends


@contextmanager
def _registry_answers() -> Iterator[None]:
    """An event that cannot be encoded for want of its schema cannot be appended: to the caller that is one failure."""
    try:
        yield
    except (RegistryUnavailable, NotRegistered) as error:
        raise KafkaUnavailable(str(error)) from error
