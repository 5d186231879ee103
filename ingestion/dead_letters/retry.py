"""Retrying and discarding dead letters.

A retry appends the original bytes, key and headers to the original topic, and marks the letter with the new place. What
makes it exactly once is not the two steps but the acceptance rule: the event keeps its event_id, so that a second
append, after a crash between the steps, is a duplicate and has no effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple
from uuid import UUID

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ingestion.codec import Codec, Unreadable
from ingestion.dead_letters import headers
from ingestion.dead_letters.letters import Letter, find, is_letter, locked, mark_discarded, mark_retried
from ingestion.dead_letters.rehearsal import Rehearsal
from ingestion.dead_letters.sender import Appended, KafkaAway, Outgoing, Sender, Unacceptable
from ingestion.events import NIL, thing
from ingestion.place import Place
from ingestion.producer import KAFKA_LOG
from ingestion.projection.errors import TopicMissing
from ingestion.projection.log import Topic, describe
from ingestion.reach import require

MEMORY = 10
"""Seconds for which a running projector may remember that the registry did not know a schema (see `Codec`)."""

Fate = Literal["accepted", "duplicate", "stale", "pending", "dead letter"]
"""What live made of a retried event. `pending`: not read yet; `dead letter`: it was refused again, as a new letter."""

_PAUSE = 0.02  # seconds


class Refused(Exception):
    """The letter cannot be retried or discarded; it stays as it was. The message says why."""


class Retried(NamedTuple):
    """The event of the letter at `letter` stands at `place` of the log.

    `outcome`: `appended` just now; `found` there, as live holds the event already and nothing was appended; `before`,
    when the letter had been retried earlier.
    """

    letter: Place
    place: Place
    topic_id: str
    outcome: Literal["appended", "found", "before"]
    workspace_id: UUID | None


class Retrier:
    """Retries letters one by one. A context manager; see `opened`."""

    def __init__(
        self,
        connection: psycopg.Connection,
        rehearsal: Rehearsal,
        sender: Sender,
        codec: Codec,
        topics: Mapping[str, Topic],
        by: str,
    ):
        self._connection, self._rehearsal, self._sender = connection, rehearsal, sender
        self._codec, self._topics, self._by = codec, topics, by

    @classmethod
    @contextmanager
    def opened(cls, *, bootstrap: str, registry_url: str, dsn: str, by: str) -> Iterator[Retrier]:
        """Connect to all that a retry needs.

        Args:
            bootstrap: Kafka's bootstrap servers.
            registry_url: base URL of the registry's Confluent-compatible API.
            dsn: the database, as the role that the projector has.
            by: who retries, kept with the letter.

        Raises:
            KafkaAway: Kafka does not answer, or has lost a topic.
            psycopg.OperationalError: PostgreSQL does not answer.
        """
        try:
            require(bootstrap)
            topics = describe(AdminClient({"bootstrap.servers": bootstrap}, logger=KAFKA_LOG))
        except (KafkaException, TopicMissing) as error:
            said = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            raise KafkaAway(f"Kafka at {bootstrap} does not answer ({said}): see `outlay status`") from None
        with (
            psycopg.connect(dsn, autocommit=True, application_name="outlay-dead-letters") as connection,
            Rehearsal.opened(dsn) as rehearsal,
            Sender(bootstrap, client_id="outlay-dead-letters") as sender,
        ):
            yield cls(connection, rehearsal, sender, Codec(registry_url), topics, by)

    def retry(self, place: Place, *, waiting: Callable[[float], None] = lambda seconds: None) -> Retried:
        """Append the letter's event to its topic again, and mark the letter; nothing when it was retried before.

        Args:
            waiting: told how many seconds the retry will wait, before it does: a projector that saw an unknown schema
                asks the registry for it again only after `MEMORY`.

        Raises:
            NoSuchLetter: no letter stands at the place.
            Refused: it still cannot be read, PostgreSQL would refuse it, or Kafka does not take it. It stays as it was.
            Busy: somebody else decides on it at this moment.
            RegistryUnavailable, KafkaAway, psycopg.OperationalError: a server is away; retrying again is safe.
        """
        letter = find(self._connection, place)
        if letter.retried is not None:
            return _before(letter, self._workspace(letter))
        event = self._readable(letter)
        self._outlast_memory(letter, waiting)
        with self._connection.transaction():
            letter = locked(self._connection, letter)
            workspace_id = event["workspace_id"] or NIL
            if letter.retried is not None:
                return _before(letter, workspace_id)
            held = self._held(letter.place.topic, event)
            to, topic_id = held or self._append(letter)
            mark_retried(self._connection, letter, place=to, topic_id=topic_id, by=self._by)
        return Retried(place, to, topic_id, "found" if held else "appended", workspace_id)

    def fates(self, retried: Sequence[Retried], *, patience: float = 2.0) -> list[Fate | None]:
        """What live has made of each event, see `fate`; waits up to `patience` seconds in all for live to read them."""
        deadline = time.monotonic() + patience
        found = []
        for each in retried:
            while not self._read(each) and time.monotonic() < deadline:
                time.sleep(_PAUSE)
            found.append(fate(self._connection, each.workspace_id, each.topic_id, each.place))
        return found

    def _readable(self, letter: Letter) -> dict[str, Any]:
        try:
            event = self._codec.decode(letter.place.topic, letter.value)
        except Unreadable as error:
            raise Refused(error.reason) from None
        refusal = self._rehearsal.refusal(letter, event)
        if refusal is not None:
            raise Refused(refusal)
        return event

    def _workspace(self, letter: Letter) -> UUID | None:
        try:
            return self._codec.decode(letter.place.topic, letter.value)["workspace_id"] or NIL
        except Unreadable:
            return None

    def _outlast_memory(self, letter: Letter, waiting: Callable[[float], None]) -> None:
        """Wait until no projector can remember the letter's schema as unknown."""
        seconds = self._connection.execute(
            "SELECT extract(epoch FROM max(created_at) - statement_timestamp())::float8 + %(memory)s "
            "FROM live.dead_letters "
            "WHERE created_at > statement_timestamp() - make_interval(secs => %(memory)s) AND reason = %(reason)s",
            {"memory": MEMORY, "reason": f"its schema id {self._codec.schema_id(letter.value)} is not in the registry"},
        ).fetchone()[0]
        if seconds is not None and seconds > 0:
            waiting(seconds)
            time.sleep(seconds)

    def _held(self, topic: str, event: Mapping[str, Any]) -> tuple[Place, str] | None:
        """Where live holds the event already: after a retry that was not marked, or a writer's own."""
        row = self._connection.execute(
            'SELECT topic, partition, "offset", topic_id FROM live.events WHERE workspace_id = %s AND event_id = %s '
            "AND entity = %s AND entity_id = %s AND decision <> 'duplicate'",
            (event["workspace_id"] or NIL, event["event_id"], *thing(topic, event)),
        ).fetchone()
        return row and (Place(*row[:3]), row[3])

    def _append(self, letter: Letter) -> tuple[Place, str]:
        topic, partition, _ = letter.place
        [outcome] = self._sender.send([Outgoing(topic, letter.key, letter.value, headers.retried(letter), partition)])
        match outcome:
            case Appended(partition, offset):
                return Place(topic, partition, offset), self._topics[topic].topic_id
            case Unacceptable(reason):
                raise Refused(reason)
            case _:
                raise outcome

    def _read(self, retried: Retried) -> bool:
        row = self._connection.execute(
            "SELECT next_offset > %s FROM live.offsets WHERE topic = %s AND topic_id = %s AND partition = %s",
            (retried.place.offset, retried.place.topic, retried.topic_id, retried.place.partition),
        ).fetchone()
        return row is not None and row[0]


def _before(letter: Letter, workspace_id: UUID | None) -> Retried:
    return Retried(letter.place, letter.retried.place, letter.retried.topic_id, "before", workspace_id)


def discard(connection: psycopg.Connection, place: Place, *, by: str, reason: str) -> bool:
    """Mark the letter as one that nobody needs; False when it was marked so before. A retry takes it up again.

    Raises:
        NoSuchLetter: no letter stands at the place.
        Refused: it was retried.
        Busy: somebody else decides on it at this moment.
    """
    with connection.transaction():
        letter = locked(connection, find(connection, place))
        if letter.retried is not None:
            raise Refused(f"it was retried and stands at {letter.retried.place}")
        if letter.discarded is None:
            mark_discarded(connection, letter, by=by, reason=reason)
        return letter.discarded is None


def fate(connection: psycopg.Connection, workspace_id: UUID | None, topic_id: str, place: Place) -> Fate | None:
    """What live made of the retried event that stands at the place.

    None when that cannot be told, as the event's workspace is not known: it could be read then, and cannot be now.
    """
    if is_letter(connection, topic_id, place):
        return "dead letter"
    if workspace_id is None:
        return None
    row = connection.execute(
        "SELECT decision FROM live.events "
        'WHERE workspace_id = %s AND topic_id = %s AND partition = %s AND "offset" = %s',
        (workspace_id, topic_id, place.partition, place.offset),
    ).fetchone()
    return row[0] if row else "pending"
