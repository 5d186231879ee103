"""The log read again from its beginning: what landed from bronze, the rest from Kafka, as records of the projector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg
from confluent_kafka import Message

from ingestion import contracts
from ingestion.codec import Codec
from ingestion.landing import log as kafka
from ingestion.landing import manifest, ranges
from ingestion.landing.blocks import Blocks
from ingestion.landing.errors import OffsetsGone
from ingestion.landing.manifest import BronzeFile
from ingestion.projection import records
from ingestion.projection.log import Partition, Topic
from ingestion.projection.records import Record
from ingestion.projection.rows import Row, places, rows
from ingestion.replay.errors import ReplayError
from ingestion.replay.stored import Stored, merged, messages, stored_row


class Decided(NamedTuple):
    """A dead letter of live: its reason, and whether somebody has retried or discarded it."""

    reason: str
    by_people: bool


@dataclass
class Read:
    """How many messages were read from where, and how many letters of live can be read now."""

    bronze: int = 0
    kafka: int = 0
    letters_now_events: int = 0

    def __iadd__(self, other: Read) -> Read:
        self.bronze += other.bronze
        self.kafka += other.kafka
        self.letters_now_events += other.letters_now_events
        return self


class Source:
    """Reads ranges of partitions.

    Args:
        connection: as the owner, in autocommit; read while `records` is read.
        lake: the lake's root, a folder or an fsspec URL.
        log: Kafka.
        topics: the topics that live was built from.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        lake: str,
        log: kafka.Log,
        codec: Codec,
        topics: Mapping[str, Topic],
    ):
        self._connection, self._lake, self._log, self._codec, self._topics = connection, lake, log, codec, topics
        self._files: dict[Partition, list[BronzeFile]] = {}
        for file in manifest.all_files(connection, list(topics)):
            if file.topic_id == topics[file.topic].topic_id:
                self._files.setdefault(Partition(file.topic, file.partition), []).append(file)
        self._reading = Blocks()
        self.read = Read()

    def records(self, place: Partition, start: int, end: int) -> Iterator[Record]:
        """The messages of a partition from offset `start` up to, and without, `end`, in their order.

        A letter that somebody has retried or discarded stays a letter, for that is not in the log. Any other message is
        what its bytes say today.

        Raises:
            ReplayError: neither bronze nor Kafka holds offsets of the range.
            CorruptedFile: a bronze file is not the one that the manifest names.
            LogUnavailable, LakeUnavailable, RegistryUnavailable: a server is away.
        """
        letters = self._letters(place, start, end)
        for record in self._decoded(self._messages(place, start, end)):
            yield self._as_decided(record, letters)

    def packed(self, place: Partition, start: int, end: int) -> Iterator[tuple[list[bytes], list[Record]]]:
        """The same, many at once and in any order: rows for the merge's COPY, and dead letters.

        Raises what `records` raises, but for files that hold the same offset: nobody looks whether there are any.
        """
        letters = self._letters(place, start, end)
        for part in parts(self._files.get(place, ()), start, end):
            if isinstance(part, ranges.Gap):
                topic_ids = {name: topic.topic_id for name, topic in self._topics.items()}
                reader = records.Reader(self._codec, topic_ids)
                for batch in self._from_kafka(place, part):
                    self.read.kafka += len(batch)
                    yield self._sorted(reader.read(batch), letters)
                continue
            for file in part.files:
                if file.kind == "events":
                    yield from self._blocks(file, part, letters)
                else:
                    within = (m for m in messages(self._lake, file) if part.first <= m.offset() <= part.last)
                    yield self._sorted(self._counted(self._decoded(within)), letters)

    def _blocks(
        self, file: BronzeFile, part: Covered, letters: Mapping[int, Decided]
    ) -> Iterator[tuple[list[bytes], list[Record]]]:
        topic_id = self._topics[file.topic].topic_id
        ours = self._codec.writer_schema(file.schema_id) == contracts.schema(file.topic)
        for block in self._reading.read(self._lake, file):
            offsets, logged_at = block.columns.numbers("_offset"), block.columns.numbers("_timestamp")
            made: Sequence[Row | None] = [None] * len(block.rows)
            if ours:
                made = rows(file.topic, places(file.topic, topic_id, file.partition, offsets, logged_at), block.columns)
            packed, one_by_one = [], []
            for offset, row, encoded in zip(offsets.tolist(), made, block.rows, strict=True):
                if row is None or offset in letters:
                    message = stored_row(encoded)
                    if part.first <= message.offset() <= part.last:
                        one_by_one.append(message)
                elif part.first <= offset <= part.last:
                    packed.append(row.row)
            self.read.bronze += len(packed)
            more, dead = self._sorted(self._counted(self._decoded(iter(one_by_one))), letters)
            yield packed + more, dead

    def _counted(self, found: Iterable[Record]) -> list[Record]:
        found = list(found)
        self.read.bronze += len(found)
        return found

    def _sorted(self, found: Iterable[Record], letters: Mapping[int, Decided]) -> tuple[list[bytes], list[Record]]:
        decided = [self._as_decided(record, letters) for record in found]
        return [r.row for r in decided if r.row is not None], [r for r in decided if r.row is None]

    def _as_decided(self, record: Record, letters: Mapping[int, Decided]) -> Record:
        letter = letters.get(record.offset) if letters else None
        if letter is not None and record.row is not None:
            if letter.by_people:
                return record.refused(letter.reason)
            self.read.letters_now_events += 1
        return record

    def _decoded(self, messages: Iterator[Message | Stored]) -> Iterator[Record]:
        """As the projector reads them."""
        for message in messages:
            yield records.read(message, self._topics[message.topic()].topic_id, self._codec)

    def _letters(self, place: Partition, start: int, end: int) -> dict[int, Decided]:
        rows = self._connection.execute(
            "SELECT \"offset\", reason, state <> 'open' FROM live.dead_letters WHERE topic_id = %s AND partition = %s "
            'AND "offset" >= %s AND "offset" < %s',
            (self._topics[place.topic].topic_id, place.partition, start, end),
        )
        return {offset: Decided(reason, by_people) for offset, reason, by_people in rows}

    def _messages(self, place: Partition, start: int, end: int) -> Iterator[Message | Stored]:
        for part in parts(self._files.get(place, ()), start, end):
            if isinstance(part, Covered):
                for message in merged(self._lake, part.files, part.first, part.last + 1):
                    self.read.bronze += 1
                    yield message
            else:
                for batch in self._from_kafka(place, part):
                    self.read.kafka += len(batch)
                    yield from batch

    def _from_kafka(self, place: Partition, gap: ranges.Gap) -> Iterator[list[Message]]:
        topic = self._topics[place.topic]
        known = kafka.Topic(place.topic, topic.topic_id, tuple(range(topic.partitions)))
        try:
            yield from self._log.batches(known, place.partition, gap.first, gap.last + 1)
        except OffsetsGone:
            raise ReplayError(
                f"{place.topic} partition {place.partition}: {gap} stand in no bronze file, and Kafka no longer holds "
                "them: `outlay bronze audit` says which file is missing; put it back, or restore the topic"
            ) from None


@dataclass
class Covered:
    """Offsets from `first` to `last`, both included, that files hold one after the other, or beside each other."""

    first: int
    last: int
    files: list[BronzeFile] = field(default_factory=list)


def parts(files: Iterable[BronzeFile], start: int, end: int) -> Iterator[Covered | ranges.Gap]:
    """What of the offsets from `start` up to, and without, `end` bronze holds, and what it does not, in order."""
    reached, run = start, None
    for file in ranges.in_order(file for file in files if file.last_offset >= start and file.first_offset < end):
        if run is None or file.first_offset > reached:
            if run is not None:
                yield run
            if file.first_offset > reached:
                yield ranges.Gap(reached, file.first_offset - 1)
            run = Covered(max(file.first_offset, start), 0)
        run.files.append(file)
        reached = max(reached, file.last_offset + 1)
        run.last = min(reached, end) - 1
    if run is not None:
        yield run
    if reached < end:
        yield ranges.Gap(reached, end - 1)
