"""One landing: from where bronze stands to where the log ended when the landing began."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue

import psycopg

from ingestion.codec import Codec
from ingestion.landing import manifest
from ingestion.landing.errors import OffsetsGone
from ingestion.landing.log import Log, Topic
from ingestion.landing.manifest import BronzeFile
from ingestion.landing.writer import PartitionWriter

MAX_ROWS = 200_000
MAX_BYTES = 64 << 20
_LANES = 3  # partitions that are landed at once; each needs the memory of a group
_MANY = 20_000  # offsets from which on more than one lane pays
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

    def count(self, files: Sequence[BronzeFile]) -> None:
        """Add files that were stored and named."""
        self.files += len(files)
        self.rows += sum(file.rows for file in files if file.kind == "events")
        self.unreadable += sum(file.rows for file in files if file.kind == "unreadable")
        self.bytes += sum(file.bytes for file in files)

    def add(self, other: Landed) -> None:
        """Add what was done for other partitions of the topic."""
        self.files += other.files
        self.rows += other.rows
        self.unreadable += other.unreadable
        self.bytes += other.bytes
        self.offsets |= other.offsets


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
                ranges = _ranges(connection, topic, end_of)
                writes = partial(PartitionWriter, codec, lake, topic, max_rows=max_rows, max_bytes=max_bytes)
                lanes = _Lanes(topic, ranges, writes)
                landed[topic.name] = lanes.land(connection, log, partial(_more, connect, bootstrap))
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


@contextmanager
def _more(
    connect: Callable[[], AbstractContextManager[psycopg.Connection]], bootstrap: str
) -> Iterator[tuple[psycopg.Connection, Log]]:
    """What another lane works with."""
    with connect() as connection, Log(bootstrap) as log:
        connection.autocommit = True
        yield connection, log


class _Lanes:
    """Lands the partitions of a topic, several at once where there is much: one writes while another waits."""

    def __init__(self, topic: Topic, ranges: Mapping[int, tuple[int, int]], writes: Callable[[int], PartitionWriter]):
        self._topic, self._writes = topic, writes
        self._todo: SimpleQueue[tuple[int, tuple[int, int]]] = SimpleQueue()
        for partition in sorted(ranges, key=lambda p: (ranges[p][0] - ranges[p][1], p)):
            self._todo.put((partition, ranges[partition]))
        much = sum(end - start for start, end in ranges.values()) >= _MANY
        self._others = min(_LANES, len(ranges)) - 1 if much else 0
        self._failed = threading.Event()

    def land(
        self,
        connection: psycopg.Connection,
        log: Log,
        more: Callable[[], AbstractContextManager[tuple[psycopg.Connection, Log]]],
    ) -> Landed:
        """Land everything; when a lane fails, the others end with the group that they are at."""

        def another() -> Landed:
            with more() as given:
                return self._lane(*given)

        if not self._others:
            return self._lane(connection, log)
        with ThreadPoolExecutor(self._others, "landing") as threads:
            others = [threads.submit(another) for _ in range(self._others)]
            landed = self._lane(connection, log)
            for other in others:
                landed.add(other.result())
        return landed

    def _lane(self, connection: psycopg.Connection, log: Log) -> Landed:
        landed = Landed(self._topic.name)
        try:
            while not self._failed.is_set():
                try:
                    partition, (start, end) = self._todo.get_nowait()
                except Empty:
                    break
                groups = self._writes(partition).groups(log.batches(self._topic, partition, start, end), end)
                self._land_partition(connection, partition, start, groups, landed)
        except BaseException:
            self._failed.set()
            raise
        return landed

    def _land_partition(
        self,
        connection: psycopg.Connection,
        partition: int,
        start: int,
        groups: Iterable[tuple[list[BronzeFile], int]],
        landed: Landed,
    ) -> None:
        """Name each group of files as soon as it is stored, so that a crash repeats one group."""
        stands, log = start, {"topic": self._topic.name, "topic_id": self._topic.topic_id, "partition": partition}
        for files, upto in groups:
            manifest.commit(connection, files, **log, start=stands, end=upto)
            stands = upto
            landed.count(files)
            landed.offsets[partition] = (start, upto)
            if self._failed.is_set():
                return
