"""A partition's messages become files in the lake, group by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from confluent_kafka import Message

from ingestion.codec import Codec
from ingestion.landing import store
from ingestion.landing.containers import Container, Envelopes, day_of, events_schema, unreadable_schema
from ingestion.landing.log import Topic
from ingestion.landing.manifest import BronzeFile
from ingestion.landing.naming import Place
from ingestion.landing.readable import Reader


class PartitionWriter:
    """Sorts a partition's messages into two containers, events and unreadable ones, and stores both at the same time.

    Hence the files of a group hold every message from the group's first to its last, and the next group may begin
    right after. A group ends where its rows or bytes reach the limit, or the day or the writer's schema changes.

    Args:
        max_rows: rows of a group, in both files together.
        max_bytes: bytes of a group as compressed; a group is what a landing holds in memory.
    """

    def __init__(self, codec: Codec, lake: str, topic: Topic, partition: int, *, max_rows: int, max_bytes: int):
        self._reader = Reader(codec, topic.name)
        self._codec, self._lake, self._topic, self._partition = codec, lake, topic, partition
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._envelopes = Envelopes(topic.name, partition)
        self._open: dict[str, Container] = {}

    def groups(self, batches: Iterable[list[Message]], end: int) -> Iterator[tuple[list[BronzeFile], int]]:
        """Store the messages; yields, as soon as they are stored, a group's files and the offset just after them.

        The last group's offset is `end`, and it has no file where no message was left.

        Raises:
            LakeUnavailable: the lake does not answer, or refuses.
            RegistryUnavailable: the schema registry does not answer.
        """
        logged, day, reached = 0, day_of(0), 0
        encode, opened = self._envelopes.encode, self._open
        for batch in batches:
            for message, (schema_id, body) in zip(batch, self._reader.read(batch), strict=True):
                timestamp, offset = message.timestamp()[1], message.offset()
                if timestamp != logged:
                    logged, day = timestamp, day_of(timestamp)
                if opened and self._ends_before(day, schema_id):
                    yield self._store(), reached
                container = opened.get("unreadable" if schema_id is None else "events")
                if container is None:
                    container = self._begin(day, schema_id)
                container.append_encoded(offset, encode(message, timestamp, schema_id) + body)
                reached = offset + 1
        yield self._store(), end

    def _ends_before(self, day: date, schema_id: int | None) -> bool:
        """Whether the next message, of this day and schema (None: unreadable), belongs to another group."""
        rows = size = 0
        for container in self._open.values():
            if container.day is not day and container.day != day:
                return True
            if container.schema_id != schema_id and None not in (container.schema_id, schema_id):
                return True
            rows += container.rows
            size += container.size
        return rows >= self._max_rows or size >= self._max_bytes

    def _begin(self, day: date, schema_id: int | None) -> Container:
        kind = "unreadable" if schema_id is None else "events"
        schema = unreadable_schema() if schema_id is None else events_schema(self._codec.writer_schema(schema_id))
        container = self._open[kind] = Container(schema, schema_id=schema_id, day=day)
        return container

    def _store(self) -> list[BronzeFile]:
        """Store what is open. The containers' memory is free when it returns."""
        stored = []
        while self._open:
            kind, container = self._open.popitem()
            written = container.finish()
            place = Place(
                topic=self._topic.name,
                topic_id=self._topic.topic_id,
                kind=kind,
                ingest_date=container.day,
                partition=self._partition,
                first_offset=written.first_offset,
                last_offset=written.last_offset,
            )
            store.put(self._lake, place.path, written.content)
            stored.append(BronzeFile.of(place, container.schema_id, written.rows, len(written.content), written.sha256))
        return stored
