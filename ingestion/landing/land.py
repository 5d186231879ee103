"""One landing: from where bronze stands to where the log ended when the landing began."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import Message

from ingestion.codec import Codec, Unreadable
from ingestion.landing import manifest, store
from ingestion.landing.containers import (
    FRAME,
    Container,
    envelope,
    events_schema,
    folder_of,
    logged_on,
    unreadable,
    unreadable_schema,
)
from ingestion.landing.errors import OffsetsGone
from ingestion.landing.log import Log, Topic
from ingestion.landing.manifest import BronzeFile

_CONTEXT = "user"  # workspaces, accounts and categories that the other topics' events name


@dataclass
class Landed:
    """What one landing did for a topic. `offsets` maps a partition to its (first, next) offset where it moved."""

    topic: str
    files: int = 0
    rows: int = 0
    unreadable: int = 0
    bytes: int = 0
    seconds: float = 0.0
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)


def land(
    *,
    bootstrap: str,
    registry_url: str,
    lake: str,
    connect: Callable[[], AbstractContextManager[psycopg.Connection]],
    topics: Sequence[str],
) -> list[Landed]:
    """Land every event that the topics held at the start. Returns one `Landed` a topic, in their order.

    Where the log ends is asked for `user` last, and `user` lands first, so that the workspaces, accounts and categories
    that an event names are in bronze before it. Needs the memory of one file, whatever there is to land.

    Args:
        bootstrap: Kafka's bootstrap servers.
        registry_url: the schema registry's Confluent-compatible API.
        lake: the lake's root, a folder or an fsspec URL.
        connect: opens a connection with the rights of ``outlay_pipeline``.
        topics: which topics.

    Raises:
        LandingError: see `ingestion.landing.errors`; the partitions that had landed stay landed.
        RegistryUnavailable: the registry does not answer; the same holds.
    """
    landed = {name: Landed(name) for name in topics}
    with connect() as connection, Log(bootstrap) as log:
        connection.autocommit = True
        with manifest.turn(connection):
            ends = _ends(log, topics)
            codec = Codec(registry_url)
            for topic, end_of in sorted(ends.items(), key=lambda item: item[0].name != _CONTEXT):
                started = time.monotonic()
                for partition, (start, end) in _ranges(connection, topic, end_of).items():
                    messages = log.messages(topic, partition, start, end)
                    _land_partition(connection, codec, lake, topic, partition, start, end, messages, landed[topic.name])
                landed[topic.name].seconds = time.monotonic() - started
    return list(landed.values())


def pending(*, bootstrap: str, connection: psycopg.Connection, topics: Sequence[str]) -> dict[str, int]:
    """How many offsets of each topic have not landed.

    Raises:
        LogUnavailable: Kafka does not answer.
    """
    with Log(bootstrap) as log:
        return {
            topic.name: sum(end - start for start, end in _ranges(connection, topic, end_of).values())
            for topic, end_of in _ends(log, topics).items()
        }


def _ends(log: Log, names: Sequence[str]) -> dict[Topic, dict[int, int]]:
    """Where each topic ends, by partition; asked for `user` last."""
    described = log.topics(names)
    ends: dict[tuple[str, int], int] = {}
    for asked in ([t for t in described if t.name != _CONTEXT], [t for t in described if t.name == _CONTEXT]):
        if asked:
            ends |= log.ends(asked)
    return {topic: {p: ends[topic.name, p] for p in topic.partitions} for topic in described}


def _ranges(connection: psycopg.Connection, topic: Topic, ends: dict[int, int]) -> dict[int, tuple[int, int]]:
    """What is to land, by partition: from the first offset up to, and without, the second."""
    stands = manifest.offsets(connection, topic.name, topic.topic_id)
    ranges = {}
    for partition, end in ends.items():
        start = stands.get(partition, 0)
        if start > end:
            raise OffsetsGone(
                f"topic {topic.name} partition {partition}: landing stands at offset {start}, but the log ends at"
                f" {end}: Kafka lost its end. Restore the broker's data from the same time as the database's"
            )
        if start < end:
            ranges[partition] = (start, end)
    return ranges


def _land_partition(
    connection: psycopg.Connection,
    codec: Codec,
    lake: str,
    topic: Topic,
    partition: int,
    start: int,
    end: int,
    messages: Iterable[Message],
    landed: Landed,
) -> None:
    writer = _PartitionWriter(codec, lake, topic, partition)
    for message in messages:
        writer.append(message)
    files = writer.finish()
    manifest.commit(
        connection, files, topic=topic.name, topic_id=topic.topic_id, partition=partition, start=start, end=end
    )
    landed.files += len(files)
    landed.rows += sum(file.rows for file in files if file.kind == "events")
    landed.unreadable += sum(file.rows for file in files if file.kind == "unreadable")
    landed.bytes += sum(file.bytes for file in files)
    landed.offsets[partition] = (start, end)


class _PartitionWriter:
    """Sorts a partition's messages into containers; stores each that is full, or whose day or schema ended."""

    def __init__(self, codec: Codec, lake: str, topic: Topic, partition: int):
        self._codec, self._lake, self._topic, self._partition = codec, lake, topic, partition
        self._open: dict[str, Container] = {}
        self._stored: list[BronzeFile] = []

    def append(self, message: Message) -> None:
        value = message.value()
        try:
            self._codec.decode(self._topic.name, value, as_written=True)
        except Unreadable as error:
            container = self._container("unreadable", message, None)
            container.append(envelope(message, None), unreadable(value, error.reason))
            return
        schema_id = self._codec.schema_id(value)
        container = self._container("events", message, schema_id)
        container.append(envelope(message, schema_id), value[FRAME:])

    def finish(self) -> list[BronzeFile]:
        """Store what is open; returns every file of the partition."""
        for kind in list(self._open):
            self._store(kind)
        return self._stored

    def _container(self, kind: str, message: Message, schema_id: int | None) -> Container:
        day = logged_on(message)
        current = self._open.get(kind)
        if current is not None and (current.full or current.day != day or current.schema_id != schema_id):
            self._store(kind)
        if kind not in self._open:
            schema = unreadable_schema() if schema_id is None else events_schema(self._codec.writer_schema(schema_id))
            self._open[kind] = Container(schema, schema_id=schema_id, day=day)
        return self._open[kind]

    def _store(self, kind: str) -> None:
        container = self._open.pop(kind)
        written = container.finish()
        topic = self._topic
        folder = f"bronze/{topic.name}" if kind == "events" else f"bronze/unreadable/{topic.name}"
        name = f"{self._partition}+{written.first_offset}-{written.last_offset}.avro"
        path = f"{folder}/{folder_of(topic.topic_id)}/ingest_date={container.day}/{name}"
        store.put(self._lake, path, written.content)
        self._stored.append(
            BronzeFile(
                topic=topic.name,
                topic_id=topic.topic_id,
                partition=self._partition,
                first_offset=written.first_offset,
                last_offset=written.last_offset,
                kind=kind,
                schema_id=container.schema_id,
                ingest_date=container.day,
                path=path,
                rows=written.rows,
                bytes=len(written.content),
                sha256=written.sha256,
            )
        )
