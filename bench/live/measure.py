"""What is measured of a system: how fast it drains what waits, how soon a paced event is seen, what a kill costs."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from uuid import UUID

import psutil
import psycopg

from bench import purchases
from bench.live.scene import Places, Scene, consumed
from bench.live.system import TOPIC, Running, System
from bench.live.watch import Watch
from ingestion.codec import Codec
from ingestion.producer import EventProducer
from outlay.settings import settings

Key = tuple[UUID, UUID]
"""Workspace and transaction."""

_PATIENCE = 300  # seconds for a system to come to the end
_WARM = 0.2  # of all events: before these are in, a rate says more of the start than of the work
_PIECE = 0.2  # of all events: the most that one transaction may write of a drain
_PACED_PAUSE, _DRAINED_PAUSE = 0.002, 0.02  # seconds between two snapshots
_SETTLED = 0.5  # seconds; who sees its events later than this has not caught up
_WARM_SECONDS = 5
_STEP = 0.002  # seconds between two sends of the paced writer


class Failed(Exception):
    """The system ended, or did not come to the end."""


@dataclass(frozen=True)
class Drained:
    """From a fifth of all events on: events a second in all and by tenth, microseconds of CPU an event of the sink and
    of its sessions in PostgreSQL. The sink's peak memory in bytes."""

    rate: float
    tenths: list[float]
    sink_cpu: float
    database_cpu: float
    memory: int


@dataclass(frozen=True)
class Paced:
    """Milliseconds from the call that sent an event until a reader could see it, at so many events a second."""

    rate: int
    events: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float


@dataclass(frozen=True)
class Killed:
    """What a SIGKILL under load cost: events never seen, events counted twice, seconds until none was late any more."""

    lost: int
    doubled: int
    recovery_s: float


@dataclass
class _Usage:
    """Of the sink's processes, and of its sessions in PostgreSQL: CPU seconds so far, at each look; peak memory."""

    application: str
    looks: list[tuple[float, float, float]]
    memory: int = 0

    def look(self, running: Running, connection: psycopg.Connection) -> None:
        sink = database = 0.0
        memory = 0
        for process in running.all():
            with suppress(psutil.Error):
                sink += sum(process.cpu_times()[:2])
                memory += process.memory_info().rss
        for (pid,) in connection.execute(_SESSIONS, (self.application,)):
            with suppress(psutil.Error):
                database += sum(psutil.Process(pid).cpu_times()[:2])
        self.looks.append((time.time(), sink, database))
        self.memory = max(self.memory, memory)

    def between(self, start: float, end: float) -> tuple[float, float]:
        """CPU seconds of sink and sessions."""
        times = [at for at, *_ in self.looks]
        first, last = (self.looks[min(bisect_left(times, at), len(times) - 1)] for at in (start, end))
        scale = (end - start) / max(last[0] - first[0], 1e-9)
        return (last[1] - first[1]) * scale, (last[2] - first[2]) * scale


_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s || '%%' AND datname = current_database()"


def drain(system: System, scene: Scene, end: Places, count: int) -> Drained:
    """Let a system read what waits between the scene's start and `end`: `count` events."""
    last = _last(scene, end)
    usage = _Usage(system.application, [])
    with _session(scene) as connection, Watch(scene.task.dsn, _DRAINED_PAUSE) as watch:
        running = system.start(scene.task)
        try:
            _until_there(scene, system, connection, last, running, lambda: usage.look(running, connection))
            time.sleep(5 * _DRAINED_PAUSE)
        finally:
            running.stop()
        steps = sorted((watch.visible(xid), rows) for xid, rows in _by_transaction(scene, system, connection))
    marks = steady(steps, count)
    (start, before), (finish, after) = marks[0], marks[-1]
    cpu = [seconds / (after - before) * 1e6 for seconds in usage.between(start, finish)]
    tenths = [(rows - r) / max(at - a, 1e-9) for (a, r), (at, rows) in pairwise(marks)]
    return Drained((after - before) / (finish - start), tenths, *cpu, usage.memory)


def steady(steps: Sequence[tuple[float, int]], count: int) -> list[tuple[float, int]]:
    """When so many rows were there, and how many: after each tenth of `count`, from a fifth on.

    Args:
        steps: when each transaction became visible, and its rows, in that order.

    Raises:
        Failed: there are not `count` rows, or they came in pieces too large to tell a rate.
    """
    times, done = [at for at, _ in steps], list(accumulate(rows for _, rows in steps))
    if not done or done[-1] != count:
        raise Failed(f"it wrote {done[-1] if done else 0:,} of {count:,} events")
    largest = max(rows for _, rows in steps)
    if largest > count * _PIECE:
        raise Failed(f"it wrote {largest:,} of {count:,} events in one transaction: take more events to measure it")
    reached = (bisect_left(done, part / 10 * count) for part in range(int(_WARM * 10), 11))
    return [(times[at], done[at]) for at in reached]


def paced(system: System, scene: Scene, rate: int, seconds: float) -> Paced:
    """Send `rate` events a second, and see each."""
    with (
        _session(scene) as connection,
        Watch(scene.task.dsn, _PACED_PAUSE) as watch,
        _running(system, scene) as running,
    ):
        _warm_up(scene, system, connection, running)
        sender = Sender(rate, seconds)
        sender.send()
        sent = sender.sent
        _until_there(scene, system, connection, _some(sent), running)
        time.sleep(10 * _PACED_PAUSE)
        took = sorted(_latencies(scene, system, connection, watch, sent))
    if len(took) != len(sent):
        raise Failed(f"it shows {len(took):,} of {len(sent):,} events")
    at = [took[min(int(len(took) * share), len(took) - 1)] * 1000 for share in (0.5, 0.95, 0.99, 1.0)]
    return Paced(rate, len(sent), *(round(ms, 1) for ms in at))


def killed(system: System, scene: Scene, rate: int, *, before: float = 5, after: float = 15) -> Killed:
    """Kill it while `rate` events a second come, and start it again at once."""
    with _session(scene) as connection, Watch(scene.task.dsn, _PACED_PAUSE) as watch:
        running = system.start(scene.task)
        try:
            _warm_up(scene, system, connection, running)
            sender = Sender(rate, before + after)
            with ThreadPoolExecutor(1, "sender") as beside:
                sending = beside.submit(sender.send)
                time.sleep(before)
                running.kill()
                at = time.time()
                running = system.start(scene.task)
                sending.result()
            _until_there(scene, system, connection, _some(sender.sent), running)
            time.sleep(1)
        finally:
            running.stop()
        sent = sender.sent
        seen = {key: watch.visible(xid) for key, xid in _rows(scene, system, connection) if key in sent}
        late = [when for key, when in seen.items() if when - sent[key] > _SETTLED]
        return Killed(len(sent) - len(seen), _doubled(connection), round(max(late, default=at) - at, 1))


class Sender:
    """Writes purchases at an even pace. `sent` says of each when it was given to the producer."""

    def __init__(self, rate: int, seconds: float):
        self._rate = rate
        self._codec = Codec(settings().registry)
        self._first, *self._ready = purchases.encoded(self._codec, 1 + int(rate * seconds))
        self.sent: dict[Key, float] = {}

    def send(self) -> None:
        """Send all.

        Raises:
            Failed: Kafka has not acknowledged them.
        """
        with EventProducer(settings().bootstrap, self._codec, client_id="bench-paced", linger=0) as producer:
            event, _, value = self._first
            producer.send_encoded(TOPIC, event, value)
            producer.flush(60)  # connected from here on
            began = time.perf_counter()
            for number, (event, transaction, value) in enumerate(self._ready):
                while (wait := began + number / self._rate - time.perf_counter()) > 0:
                    time.sleep(max(wait, _STEP))
                self.sent[event["workspace_id"], transaction] = time.time()
                producer.send_encoded(TOPIC, event, value)
            if producer.flush(60):
                raise Failed("Kafka has not acknowledged all purchases: see `outlay status`")


@contextmanager
def _running(system: System, scene: Scene) -> Iterator[Running]:
    running = system.start(scene.task)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def _session(scene: Scene) -> Iterator[psycopg.Connection]:
    with psycopg.connect(scene.task.dsn, autocommit=True, application_name="bench-look") as connection:
        yield connection


def _warm_up(scene: Scene, system: System, connection: psycopg.Connection, running: Running) -> None:
    sender = Sender(1_000, _WARM_SECONDS)
    sender.send()
    _until_there(scene, system, connection, _some(sender.sent), running)
    os.sync()  # what was written before is not to hold up a commit


def _until_there(
    scene: Scene,
    system: System,
    connection: psycopg.Connection,
    keys: Sequence[Key],
    running: Running,
    look: Callable[[], None] = lambda: None,
) -> None:
    deadline = time.monotonic() + _PATIENCE
    workspaces, transactions = (list(column) for column in zip(*keys, strict=True))
    there = f"EXISTS (SELECT FROM {scene.table(system.table)} WHERE workspace_id = k.w AND transaction_id = k.t)"
    query = "SELECT count(*) FROM unnest(%s::uuid[], %s::uuid[]) AS k (w, t) WHERE " + there  # noqa: S608
    while True:
        look()
        (found,) = connection.execute(query, (workspaces, transactions)).fetchone()
        if found == len(keys):
            return
        if running.failed():
            raise Failed("it ended: see above")
        if time.monotonic() > deadline:
            raise Failed(f"it has not written everything within {_PATIENCE} s")
        time.sleep(0.1)


def _last(scene: Scene, end: Places) -> list[Key]:
    """The last event of each partition that has one: each system reads a partition in its order."""
    codec = Codec(settings().registry)
    before = {place: max(offset - 1, scene.start[place]) for place, offset in end.items() if place.topic == TOPIC}
    found = {}
    for batch in consumed(before, {place: end[place] for place in before}):
        for message in batch:
            event = codec.decode(TOPIC, message.value())
            found[message.partition()] = (event["workspace_id"], event["transaction_id"])
    return list(found.values())


def _some(sent: Mapping[Key, float]) -> list[Key]:
    """Of the last that were sent so many that each partition is among them."""
    return list(sent)[-1_000:]


def _new(scene: Scene, system: System, what: str) -> str:
    """A query of what the system has written of the task."""
    table = scene.table(system.table)
    place = ("kafka_partition", "kafka_offset") if table == "peer.transactions" else ("partition", '"offset"')
    since = f"s.partition = r.{place[0]} AND r.{place[1]} >= s.first"
    return (
        f"SELECT {what} FROM {table} AS r INNER JOIN unnest(%s::int[], %s::bigint[]) AS s (partition, first) ON {since}"  # noqa: S608
    )


def _by_transaction(scene: Scene, system: System, connection: psycopg.Connection) -> list[tuple[int, int]]:
    """Each transaction of PostgreSQL, and how many rows it wrote."""
    query = _new(scene, system, "r.xmin::text::bigint, count(*)") + " GROUP BY 1"
    return connection.execute(query, _starts(scene)).fetchall()


def _rows(scene: Scene, system: System, connection: psycopg.Connection) -> Iterator[tuple[Key, int]]:
    query = _new(scene, system, "r.workspace_id, r.transaction_id, r.xmin::text::bigint")
    for workspace, transaction, xid in connection.execute(query, _starts(scene)):
        yield (workspace, transaction), xid


def _starts(scene: Scene) -> tuple[list[int], list[int]]:
    return list(scene.task.start), list(scene.task.start.values())


def _latencies(
    scene: Scene, system: System, connection: psycopg.Connection, watch: Watch, sent: Mapping[Key, float]
) -> Iterator[float]:
    for key, xid in _rows(scene, system, connection):
        if key in sent:
            yield watch.visible(xid) - sent[key]


def _doubled(connection: psycopg.Connection) -> int:
    """Events that the history holds more than once, or counts otherwise than once; none where there is no history."""
    return connection.execute(
        "SELECT coalesce(sum(n - 1), 0)::bigint FROM (SELECT count(*) AS n FROM live.events GROUP BY workspace_id, "
        "event_id HAVING count(*) > 1) AS twice"
    ).fetchone()[0]
