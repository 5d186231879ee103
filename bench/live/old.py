"""How many events a second the projector commits when it is behind, beside the most that this machine could commit.

Each round is of the same messages, into a database of its own with the production schema and a history: once from Kafka
by `outlay live`, once from memory by the same COPY and merge in this process, read already. What only reading the
messages from Kafka takes stands beside. Medians are of all rounds.

Needs servers without a projector: `outlay up --only postgres,kafka,registry`, then `outlay bench live`. The messages
stay in the log.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psutil
import psycopg
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench import purchases
from ingestion import migrate
from ingestion.codec import Codec
from ingestion.projection.log import MAX_BATCH, Partition, Topic, describe
from ingestion.projection.records import Reader, Record
from ingestion.projection.view import View
from outlay.settings import settings

_PATIENCE = 600  # seconds for one round
_TENTHS = 10


@dataclass(frozen=True)
class Drained:
    """One round from Kafka: events a second in all and by tenth; microseconds of CPU an event, and peak memory."""

    rate: float
    tenths: list[float]
    projector_cpu: float
    database_cpu: float
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--history", type=int, default=100_000, help="events that live holds before each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    found = measure(given.events, given.history, given.rounds, say=None if given.as_json else print)
    print(json.dumps(found) if given.as_json else _told(found))


def measure(count: int, history: int, rounds: int, say=None) -> dict[str, Any]:
    """Run all rounds; rates in events a second, CPU in microseconds an event, memory in bytes."""
    say = say or (lambda line: None)
    here = settings()
    topics = describe(AdminClient({"bootstrap.servers": here.bootstrap}))
    before = _ends(topics)
    purchases.write(history)
    between = _ends(topics)
    purchases.write(count)
    ends = _ends(topics)
    say(f"{history:,} events of history and {count:,} to measure are in the log")
    drained, merged, consumed = [], [], []
    for number in range(1, rounds + 1):
        consumed.append(_consume(between, ends)[1])
        earlier = _records(_consume(before, between)[0], topics)
        later = _records(_consume(between, ends)[0], topics)
        with _database(topics, before, earlier, between) as dsn:
            merged.append(_merge(dsn, topics, later))
        del later
        with _database(topics, before, earlier, between) as dsn:
            drained.append(_drain(dsn, count))
        rates = (drained[-1].rate, merged[-1], consumed[-1])
        say("round {}: {:,.0f} events/s, from memory {:,.0f}, only read {:,.0f}".format(number, *rates))
    rate = median(each.rate for each in drained)
    return {
        "events": count,
        "history": history,
        "rate": round(rate),
        "slowest_round": round(min(each.rate for each in drained)),
        "from_memory": round(median(merged)),
        "limit_share": round(rate / median(merged), 3),
        "only_consumed": round(median(consumed)),
        "last_tenth_to_first": round(median(r.tenths[-1] / r.tenths[0] for r in drained), 2),
        "projector_cpu": round(median(r.projector_cpu for r in drained), 1),
        "database_cpu": round(median(r.database_cpu for r in drained), 1),
        "memory": max(r.memory for r in drained),
        "rounds": [asdict(r) for r in drained],
    }


def _told(found: Mapping[str, Any]) -> str:
    return "\n".join((
        f"live               {found['rate']:>9,} events/s, median of {len(found['rounds'])}; slowest {found['slowest_round']:,}",  # noqa: E501
        f"merge from memory  {found['from_memory']:>9,} events/s: live is at {found['limit_share']:.0%}",
        f"only read          {found['only_consumed']:>9,} events/s",
        f"last tenth         {found['last_tenth_to_first']:>9} of the first",
        f"CPU an event       {found['projector_cpu']:>9} us of the projector, {found['database_cpu']} us of its session in PostgreSQL",  # noqa: E501
        f"memory             {found['memory'] / 2**20:>9,.0f} MiB",
    ))  # fmt: skip


def _drain(dsn: str, count: int) -> Drained:
    """Let `outlay live` read what is left of the log."""
    environment = os.environ | {"OUTLAY_DATABASE_URL": dsn}
    live = subprocess.Popen([sys.executable, "-m", "outlay", "live"], stdout=subprocess.DEVNULL, env=environment)
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            base = done = _committed(connection)
            deadline, marks = time.monotonic() + _PATIENCE, []
            while done == base:
                time.sleep(0.005)
                done = _committed(connection)
                _still(live, deadline)
            first, begun = time.perf_counter(), done
            session = psutil.Process(connection.execute(_SESSION).fetchone()[0])
            process = psutil.Process(live.pid)
            cpu = [sum(p.cpu_times()[:2]) for p in (process, session)]
            while done < base + count:
                time.sleep(0.01)
                done = _committed(connection)
                if done - begun >= (len(marks) + 1) * (count - (begun - base)) / _TENTHS:
                    marks.append((time.perf_counter() - first, done - begun))
                _still(live, deadline)
            used = [sum(p.cpu_times()[:2]) - c for p, c in zip((process, session), cpu, strict=True)]
            memory = process.memory_info().rss
    finally:
        live.terminate()
        live.wait()
    spans = [(0.0, 0), *marks]
    tenths = [(rows - r) / (seconds - s) for (s, r), (seconds, rows) in zip(spans, marks, strict=False)]
    measured = marks[-1][1]
    return Drained(measured / marks[-1][0], tenths, *(u / measured * 1e6 for u in used), memory)


_SESSION = "SELECT pid FROM pg_stat_activity WHERE application_name = 'outlay-live' AND datname = current_database()"


def _still(live: subprocess.Popen, deadline: float) -> None:
    if live.poll() is not None:
        raise SystemExit(f"outlay live ended with {live.returncode}: see above")
    if time.monotonic() > deadline:
        raise SystemExit(f"outlay live has not committed everything within {_PATIENCE} s: does another one run?")


def _committed(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM live.offsets").fetchone()[0]


def _merge(dsn: str, topics: Mapping[str, Topic], batches: Sequence[list[Record]]) -> float:
    """Write the records from memory; events a second."""
    with View.opened(dsn, topics) as view:
        began = time.perf_counter()
        _write(view, batches)
        return sum(map(len, batches)) / (time.perf_counter() - began)


def _write(view: View, batches: Sequence[list[Record]]) -> None:
    for batch in batches:
        view.write(batch, {Partition(record.topic, record.partition): record.offset + 1 for record in batch})


def _records(messages: Sequence[Message], topics: Mapping[str, Topic]) -> list[list[Record]]:
    reader = Reader(Codec(settings().registry), {name: topic.topic_id for name, topic in topics.items()})
    return [reader.read(messages[n : n + MAX_BATCH]) for n in range(0, len(messages), MAX_BATCH)]


def _consume(start: Mapping[Partition, int], end: Mapping[Partition, int]) -> tuple[list[Message], float]:
    """The messages between, and how many a second came."""
    consumer = Consumer(
        {"bootstrap.servers": settings().bootstrap, "group.id": "bench", "enable.auto.commit": False,
         "enable.auto.offset.store": False, "isolation.level": "read_committed"}
    )  # fmt: skip
    left = sum(end[place] - start[place] for place in end)
    consumer.assign([TopicPartition(*place, start[place]) for place in end if end[place] > start[place]])
    messages: list[Message] = []
    began = time.perf_counter()
    while len(messages) < left:
        found = consumer.consume(MAX_BATCH, 0.5)
        messages += [m for m in found if m.offset() < end[Partition(m.topic(), m.partition())]]
    seconds = time.perf_counter() - began
    consumer.close()
    return messages, len(messages) / seconds


def _ends(topics: Mapping[str, Topic]) -> dict[Partition, int]:
    admin = AdminClient({"bootstrap.servers": settings().bootstrap})
    places = {TopicPartition(t, p): OffsetSpec.latest() for t in topics for p in range(topics[t].partitions)}
    return {Partition(p.topic, p.partition): f.result().offset for p, f in admin.list_offsets(places).items()}


@contextmanager
def _database(
    topics: Mapping[str, Topic],
    start: Mapping[Partition, int],
    history: Sequence[list[Record]],
    end: Mapping[Partition, int],
) -> Iterator[str]:
    """A migrated database of its own, whose live begins at `start` and holds the history, dropped at the end."""
    owner = settings().dsn("owner")
    name = f"bench_{uuid4().hex}"
    with psycopg.connect(owner, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            dsn = urlunsplit(urlsplit(owner)._replace(path=f"/{name}"))
            migrate.upgrade(dsn)
            with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO live.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s)",
                    [(t, topics[t].topic_id, p, offset) for (t, p), offset in start.items()],
                )
            with View.opened(dsn, topics) as view:
                _write(view, history)
                view.write([], end)
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("ANALYZE")
                connection.execute("CHECKPOINT")
            yield dsn
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    main()
