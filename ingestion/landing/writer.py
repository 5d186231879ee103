"""A partition's messages become files in the lake, group by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from confluent_kafka import Message

from ingestion.codec import Codec, Unreadable
from ingestion.landing import store
from ingestion.landing.containers import (
    FRAME,
    Container,
    envelope,
    events_schema,
    logged_on,
    unreadable,
    unreadable_schema,
)
from ingestion.landing.log import Topic
from ingestion.landing.manifest import BronzeFile
from ingestion.landing.naming import Place


class PartitionWriter:
    """Sorts a partition's messages into two containers, events and unreadable ones, and stores both at the same time.

    Hence the files of a group hold every message from the group's first to its last, and the next group may begin
    right after. A group ends where its rows or bytes reach the limit, or the day or the writer's schema changes.

    Args:
        max_rows: rows of a group, in both files together.
        max_bytes: bytes of a group as compressed; a group is what a landing holds in memory.
    """

    def __init__(self, codec: Codec, lake: str, topic: Topic, partition: int, *, max_rows: int, max_bytes: int):
        self._codec, self._lake, self._topic, self._partition = codec, lake, topic, partition
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._open: dict[str, Container] = {}
        self._next = 0

    def groups(self, messages: Iterable[Message], end: int) -> Iterator[tuple[list[BronzeFile], int]]:
        """Store the messages; yields, as soon as they are stored, a group's files and the offset just after them.

        The last group's offset is `end`, and it has no file where no message was left.

        Raises:
            LakeUnavailable: the lake does not answer, or refuses.
            RegistryUnavailable: the schema registry does not answer.
        """
        for message in messages:
            day, value = logged_on(message), message.value()
            try:
                self._codec.decode(self._topic.name, value, as_written=True)
            except Unreadable as error:
                schema_id, body = None, unreadable(value, error.reason)
            else:
                schema_id, body = self._codec.schema_id(value), value[FRAME:]
            if self._open and self._ends_before(day, schema_id):
                yield self._store(), self._next
            self._container(day, schema_id).append(envelope(message, schema_id), body)
            self._next = message.offset() + 1
        yield self._store(), end

    def _ends_before(self, day: date, schema_id: int | None) -> bool:
        """Whether the next message, of this day and schema (None: unreadable), belongs to another group."""
        containers = self._open.values()
        return (
            sum(container.rows for container in containers) >= self._max_rows
            or sum(container.size for container in containers) >= self._max_bytes
            or any(container.day != day for container in containers)
            or (schema_id is not None and "events" in self._open and self._open["events"].schema_id != schema_id)
        )

    def _container(self, day: date, schema_id: int | None) -> Container:
        kind = "unreadable" if schema_id is None else "events"
        if kind not in self._open:
            schema = unreadable_schema() if schema_id is None else events_schema(self._codec.writer_schema(schema_id))
            self._open[kind] = Container(schema, schema_id=schema_id, day=day)
        return self._open[kind]

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
