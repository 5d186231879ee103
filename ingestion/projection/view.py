"""The projector's side of PostgreSQL: where live stands, and one transaction for each batch."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from ingestion.projection.errors import Fenced, OffsetsRewound, PartitionsAdded, TopicReplaced
from ingestion.projection.log import Partition, Topic
from ingestion.projection.merge import statements
from ingestion.projection.records import Record
from ingestion.projection.rows import END, SIGNATURE

REFUSED = (psycopg.DataError, psycopg.IntegrityError, pg.ProgramLimitExceeded)
"""The database's way of saying that a row is at fault, not the moment."""

_OF_ONE_THING = frozenset({"events_event", "transactions_pkey", "entities_pkey"})
"""What two lanes may both want to write when a thing's events stand in partitions of both, as a wrong key puts them."""
_TRIES = 5

_PASSED_OVER = 1_000
"""Rows of earlier batches that may lie in the merge's own tables: to read past them costs less than to empty these."""

# Seconds. A projector that stands still inside a batch holds rows of live.offsets; the next one must not wait for ever.
_LONGEST_BATCH = 30

Part = Callable[[Mapping[Partition, int]], dict[Partition, int]]


class View:
    """The live view, written by one session.

    Args:
        part: chooses those of the partitions that this session writes.

    Attributes:
        positions: where it stands: the next offset of each partition.
        fencings: how often any projector came too late to each partition, as `ask` found it last.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        topics: Mapping[str, Topic],
        schema: str = "live",
        part: Part = dict,
    ):
        self._connection = connection
        self._topics = topics
        self._sql = statements(schema)
        connection.execute(self._sql["session"])
        self._copied = 0  # rows since the merge's own tables were emptied, committed or not
        self.positions = part(self._stand())
        self.ask()

    @classmethod
    @contextmanager
    def opened(cls, dsn: str, topics: Mapping[str, Topic], part: Part = dict) -> Iterator[View]:
        """Connect and find out where live stands.

        Raises:
            TopicReplaced, PartitionsAdded: live was built from another log than the one that Kafka has now.
        """
        with psycopg.connect(dsn, autocommit=True, application_name="outlay-live") as connection:
            connection.execute(f"SET transaction_timeout = '{_LONGEST_BATCH}s'")
            yield cls(connection, topics, part=part)

    def ask(self) -> None:
        """Ask PostgreSQL for the fencings.

        Raises:
            psycopg.OperationalError: the connection is gone.
        """
        counts = {Partition(*place): count for *place, count in self._connection.execute(self._sql["fencings"])}
        self.fencings = {place: counts.get(place, 0) for place in self.positions}

    def write(self, records: Sequence[Record], positions: Mapping[Partition, int]) -> Counter[tuple[str, str]]:
        """Commit the records and move to `positions`, in one transaction; (topic, decision) to a number of events.

        When the database refuses a record, the batch is halved until that one is found; it becomes a dead letter, and
        all others are kept.

        Raises:
            Fenced: another projector has moved the offsets. Nothing was written.
            OffsetsRewound: live.events already holds one of the places.
        """
        try:
            return self._try(records, positions)
        except Fenced:
            with suppress(psycopg.Error), self._connection.cursor() as cursor:  # it is fenced, counted or not
                cursor.executemany(self._sql["fenced"], self._moves(positions))
            raise
        except REFUSED as error:
            if getattr(error.diag, "constraint_name", None) == "events_pkey":
                raise OffsetsRewound(
                    f"live.offsets was changed by hand ({error.diag.message_detail}): set it back, or rebuild live"
                ) from error
            if not records:
                raise
            if len(records) == 1:
                return self._commit([records[0].refused(f"PostgreSQL refused it: {_line(error)}")], positions)
            half = len(records) // 2
            between = {Partition(record.topic, record.partition): record.offset + 1 for record in records[:half]}
            return self.write(records[:half], between) + self.write(records[half:], positions)

    def _try(self, records: Sequence[Record], positions: Mapping[Partition, int]) -> Counter[tuple[str, str]]:
        """Commit; again where another lane has written of the same thing meanwhile, which now is there to decide by."""
        for _ in range(_TRIES - 1):
            try:
                return self._commit(records, positions)
            except pg.UniqueViolation as error:
                if error.diag.constraint_name not in _OF_ONE_THING:
                    raise
        return self._commit(records, positions)

    def _commit(self, records: Sequence[Record], positions: Mapping[Partition, int]) -> Counter[tuple[str, str]]:
        moves = self._moves(positions)
        decided: Counter[tuple[str, str]] = Counter()
        if not moves:
            return decided
        rows = [record.row for record in records if record.row is not None]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            if rows:  # first: amid a COPY no timeout ends a transaction, so nothing that others want may be locked yet
                self._copy(cursor, rows)
            cursor.executemany(self._sql["move"], moves)
            if cursor.rowcount != len(moves):
                raise Fenced(
                    f"another projector moved {len(moves) - max(cursor.rowcount, 0)} of {len(moves)} partitions on "
                    "since this one read live.offsets: only one may run"
                )
            if rows:
                decided = self._merge({record.topic for record in records if record.row is not None})
            letters = [record for record in records if record.row is None]
            if letters:
                cursor.executemany(self._sql["dead_letter"], [letter_row(record) for record in letters])
        self.positions |= positions
        if self._copied > _PASSED_OVER:
            self._copied = 0
        return decided

    def rehearse(self, row: bytes, topic: str) -> None:
        """Merge one row and take it back.

        Raises:
            psycopg.Error: of `REFUSED`, where PostgreSQL refuses it.
        """
        with self._connection.transaction(force_rollback=True), self._connection.cursor() as cursor:
            self._copy(cursor, [row])
            self._merge({topic})

    def _copy(self, cursor: psycopg.Cursor, rows: Sequence[bytes]) -> None:
        self._copied += len(rows)
        with cursor.copy(self._sql["copy"]) as copy:
            copy.write(b"".join([SIGNATURE, *rows, END]))

    def _moves(self, positions: Mapping[Partition, int]) -> list[dict[str, Any]]:
        return [
            {"topic": p.topic, "topic_id": self._topics[p.topic].topic_id, "partition": p.partition,
             "old": self.positions[p], "new": offset}
            for p, offset in sorted(positions.items())
            if offset != self.positions[p]
        ]  # fmt: skip

    def _merge(self, topics: Set[str]) -> Counter[tuple[str, str]]:
        steps = ["decide", "events"]
        if "transaction" in topics:
            steps += ["take_away", "remove", "add", "lines", "add_lines", "totals"]
        if topics != {"transaction"}:
            steps += ["remove_entities", "entities"]
        with self._connection.pipeline():  # one wait for all: each costs a wake-up of this thread
            for step in steps:
                self._connection.execute(self._sql[step])
            telling = self._connection.execute(self._sql["notify"])
            self._connection.execute(self._sql["empty" if self._copied > _PASSED_OVER else "forget"])
            told = telling.fetchall()
        decided: Counter[tuple[str, str]] = Counter()
        for topic, accepted, duplicate, stale, _ in told:
            decided.update({(topic, "accepted"): accepted, (topic, "duplicate"): duplicate, (topic, "stale"): stale})
        return decided

    def _stand(self) -> dict[Partition, int]:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            known: dict[tuple[str, str], dict[int, int]] = {}
            for topic, topic_id, partition, offset in cursor.execute(self._sql["stand"]):
                known.setdefault((topic, topic_id), {})[partition] = offset
            for name, topic in self._topics.items():
                self._same_log(name, topic, known)
            cursor.executemany(
                self._sql["begin_partition"],
                [
                    (name, topic.topic_id, number)
                    for name, topic in sorted(self._topics.items())
                    for number in range(topic.partitions)
                ],
            )
        return {
            Partition(name, number): known.get((name, topic.topic_id), {}).get(number, 0)
            for name, topic in self._topics.items()
            for number in range(topic.partitions)
        }

    @staticmethod
    def _same_log(name: str, topic: Topic, known: Mapping[tuple[str, str], Mapping[int, int]]) -> None:
        others = sorted(topic_id for other, topic_id in known if other == name and topic_id != topic.topic_id)
        if others:
            raise TopicReplaced(
                f"the topic {name} was created again: its id is {topic.topic_id}, live was built from {others[0]}. "
                "Restore the topic, or rebuild live"
            )
        had = len(known.get((name, topic.topic_id), {}))
        if had and had != topic.partitions:
            raise PartitionsAdded(
                f"the topic {name} has {topic.partitions} partitions, live was built from {had}: keys have moved. "
                "Copy the topic into a new one with that many partitions"
            )


def letter_row(record: Record) -> tuple:
    """The parameters of the statement `dead_letter`."""
    headers = [
        [name.replace("\0", "\\0"), None if value is None else b64encode(value).decode()]
        for name, value in record.headers
    ]
    return (
        *(record.topic, record.topic_id, record.partition, record.offset, record.logged_at),
        *(record.key, record.value, Jsonb(headers), record.reason),
    )


def _line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).splitlines()[0]
