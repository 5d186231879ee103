"""Where a system is measured: a database of its own with the production schema, and a part of the log to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench.live.system import TOPIC, Task
from ingestion import migrate, named
from ingestion.codec import Codec
from ingestion.producer import KAFKA_LOG
from ingestion.projection.log import MAX_BATCH, Partition, Topic, describe
from ingestion.projection.records import Reader, Record
from ingestion.projection.view import View
from outlay.settings import settings

SQL = named.statements(Path(__file__).with_name("peer.sql"))

Places = Mapping[Partition, int]


@dataclass(frozen=True)
class Scene:
    """A database whose live stands at `task.start`, and what is in the log from there on.

    Args:
        with_triggers: whether what is upserted into `peer.transactions` becomes all that live consists of.
    """

    task: Task
    topics: Mapping[str, Topic]
    start: Places
    with_triggers: bool

    def table(self, of_system: str) -> str:
        """The table in which a transaction appears, of a system that writes `of_system`."""
        return "live.transactions" if self.with_triggers else of_system


def topics() -> dict[str, Topic]:
    return describe(AdminClient({"bootstrap.servers": settings().bootstrap}, logger=KAFKA_LOG))


def ends(of: Mapping[str, Topic]) -> dict[Partition, int]:
    """Where the log ends."""
    admin = AdminClient({"bootstrap.servers": settings().bootstrap}, logger=KAFKA_LOG)
    places = {TopicPartition(t, p): OffsetSpec.latest() for t in of for p in range(of[t].partitions)}
    return {Partition(p.topic, p.partition): f.result().offset for p, f in admin.list_offsets(places).items()}


def consumed(start: Places, end: Places) -> Iterator[list[Message]]:
    """The messages between, in batches."""
    consumer = Consumer(
        {"bootstrap.servers": settings().bootstrap, "group.id": "bench", "enable.auto.commit": False,
         "enable.auto.offset.store": False, "isolation.level": "read_committed"}
    )  # fmt: skip
    left = sum(end[place] - start[place] for place in end)
    consumer.assign([TopicPartition(*place, start[place]) for place in end if end[place] > start[place]])
    while left:
        found = [m for m in consumer.consume(MAX_BATCH, 0.5) if m.offset() < end[Partition(m.topic(), m.partition())]]
        left -= len(found)
        if found:
            yield found
    consumer.close()


def records(of: Mapping[str, Topic], start: Places, end: Places) -> list[list[Record]]:
    """The same as the projector reads them, in batches as large as its own."""
    reader = Reader(Codec(settings().registry), {name: topic.topic_id for name, topic in of.items()})
    messages = [message for batch in consumed(start, end) for message in batch]
    return [reader.read(messages[n : n + MAX_BATCH]) for n in range(0, len(messages), MAX_BATCH)]


def write(view: View, batches: Sequence[list[Record]]) -> None:
    for batch in batches:
        view.write(batch, {Partition(record.topic, record.partition): record.offset + 1 for record in batch})


@contextmanager
def opened(
    of: Mapping[str, Topic],
    begin: Places,
    history: Sequence[list[Record]],
    start: Places,
    *,
    with_triggers: bool = False,
) -> Iterator[Scene]:
    """A database, dropped at the end, whose live was begun at `begin`, holds the history, and stands at `start`."""
    here, name = settings(), f"bench_{uuid4().hex}"
    owner = here.dsn("owner")
    with psycopg.connect(owner, autocommit=True) as server, TemporaryDirectory(prefix="bench-") as folder:
        server.execute(f"CREATE DATABASE {name}")
        try:
            dsn = urlunsplit(urlsplit(owner)._replace(path=f"/{name}"))
            migrate.upgrade(dsn)
            with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO live.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s)",
                    [(t, of[t].topic_id, p, offset) for (t, p), offset in begin.items()],
                )
                cursor.execute(SQL["table"])
                if with_triggers:
                    cursor.execute(
                        "CREATE FUNCTION peer.topic_id() RETURNS text IMMUTABLE LANGUAGE sql "
                        f"RETURN '{of[TOPIC].topic_id}'"
                    )
                    cursor.execute(SQL["everything_else"])
            with View.opened(dsn, of) as view:
                write(view, history)
                view.write([], start)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("ANALYZE")
                connection.execute("CHECKPOINT")
            of_topic = {place.partition: offset for place, offset in start.items() if place.topic == TOPIC}
            task = Task(dsn, here.bootstrap, here.registry, of_topic, Path(folder))
            yield Scene(task, of, start, with_triggers)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
