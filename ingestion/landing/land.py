"""One landing: from where bronze stands to where the log ended when the landing began."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import psycopg

from ingestion.codec import Codec
from ingestion.landing import manifest
from ingestion.landing.errors import OffsetsGone
from ingestion.landing.log import Log, Topic
from ingestion.landing.manifest import BronzeFile
from ingestion.landing.writer import PartitionWriter

MAX_ROWS = 200_000
MAX_BYTES = 64 << 20
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
    max_rows: int = MAX_ROWS,
    max_bytes: int = MAX_BYTES,
) -> list[Landed]:
    """Land every event that the topics held at the start. Returns one `Landed` a topic, in their order.

    Where the log ends is asked for `user` last, and `user` lands first, so that the workspaces, accounts and categories
    that an event names are in bronze before it. Each file is named in the manifest as soon as it is stored: a landing
    that is killed repeats one file, and needs the memory of one, whatever there is to land.

    Args:
        bootstrap: Kafka's bootstrap servers.
        registry_url: the schema registry's Confluent-compatible API.
        lake: the lake's root, a folder or an fsspec URL.
        connect: opens a connection with the rights of ``outlay_pipeline``.
        topics: which topics.
        max_rows: rows after which a file ends.
        max_bytes: bytes, compressed, after which a file ends.

    Raises:
        LandingError: see `ingestion.landing.errors`; the files that had landed stay landed.
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
                    writer = PartitionWriter(codec, lake, topic, partition, max_rows=max_rows, max_bytes=max_bytes)
                    groups = writer.groups(log.batches(topic, partition, start, end), end)
                    _land_partition(connection, topic, partition, start, groups, landed[topic.name])
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
    topic: Topic,
    partition: int,
    start: int,
    groups: Iterable[tuple[list[BronzeFile], int]],
    landed: Landed,
) -> None:
    """Name each group of files as soon as it is stored, so that a crash repeats one group."""
    stands = start
    for files, upto in groups:
        manifest.commit(
            connection, files, topic=topic.name, topic_id=topic.topic_id, partition=partition, start=stands, end=upto
        )
        stands = upto
        landed.files += len(files)
        landed.rows += sum(file.rows for file in files if file.kind == "events")
        landed.unreadable += sum(file.rows for file in files if file.kind == "unreadable")
        landed.bytes += sum(file.bytes for file in files)
        landed.offsets[partition] = (start, upto)
