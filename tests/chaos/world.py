"""A database, a lake, a projector and landings of a run's own on the servers of a stack, and traffic between them."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
from confluent_kafka import Consumer, KafkaError, TopicPartition

from ingestion.codec import Codec
from ingestion.contracts import TOPICS
from ingestion.headers import headers_of
from ingestion.landing.errors import LogUnavailable
from ingestion.landing.log import Log
from outlay.settings import Role, Settings
from tests.chaos import children
from tests.chaos.checks import Differences, bronze_differs, live_differs
from tests.chaos.children import Addresses, Armed, Child
from tests.chaos.driver import Place, Traffic, numbers
from tests.chaos.model import Message, expected
from tests.integration.databases import fresh_database

LIVE = "outlay-live"
"""How PostgreSQL knows the sessions of a projector, one for each of its lanes."""

T = TypeVar("T")

_RECOVERY = 120  # seconds after which a hang is assumed
_LAKE_SIZE = "256m"


class World:
    """One run. `random` decides what the run does; the traffic has a seed of its own from it.

    Args:
        stack: the servers.
        database: DSN of the run's own database, as its owner.
        folder: of the children's logs, and of the lake.
        seed: of everything random.
        mounted: whether the lake is a file system of its own.
        traffic: see `Traffic`.
    """

    def __init__(self, stack: Settings, database: str, folder: Path, *, seed: int, mounted: bool, **traffic: Any):
        self.stack, self.database, self.folder, self.mounted = stack, database, folder, mounted
        self.random = Random(seed)  # noqa: S311
        self.traffic = Traffic(stack.bootstrap, Codec(stack.registry), seed=seed, **traffic)
        self.mount = folder / "mount"
        self.lake = str(self.mount / "lake")
        self._numbers = itertools.count(1)
        self._children: list[Child] = []
        self._kafka = Log(stack.bootstrap)
        self._topics = self._kafka.topics(TOPICS)
        self.topic_ids = {topic.name: topic.topic_id for topic in self._topics}
        self._read_to = self.ends()
        self.log: list[Message] = []
        """What the log holds of this run, as far as it was compared."""
        self._begin_here()
        self.projector = self.start_projector()

    # What a fault may do.

    def start_projector(self, armed: Armed | None = None, registry: str | None = None) -> Child:
        """A projector, beside the one that there may be."""
        where = Addresses(self.stack.bootstrap, registry or self.stack.registry, self.dsn("projector"))
        return self._child("projector", children.projector, where, armed)

    def start_landing(
        self, armed: Armed | None = None, registry: str | None = None, max_rows: int | None = None
    ) -> Child:
        where = Addresses(self.stack.bootstrap, registry or self.stack.registry, self.dsn("pipeline"), self.lake)
        return self._child(
            "landing", children.landing, where, armed, max_rows or self.random.choice((20, 200, 200_000))
        )

    def land(self) -> int:
        """One landing that has to succeed; returns how many messages landed."""
        child = self.start_landing()
        assert child.ended(_RECOVERY) == 0, child.said()
        return child.said()[-1]["rows"]

    def replace_projector(self) -> None:
        """End the projector where it is, however it is, and start another."""
        self.projector.kill()
        self.projector = self.start_projector()

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """As the database's owner, in a session of its own."""
        with self.connect() as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.database, autocommit=True, connect_timeout=5, application_name="chaos")

    def dsn(self, role: Role) -> str:
        path = urlsplit(self.database).path
        return urlunsplit(urlsplit(self.stack.dsn(role))._replace(path=path))

    def probe(self) -> Place:
        """Send an event, and return where it stands."""
        return self.traffic.send(*self.traffic.pair(self.random))[0]

    def wait_for_live(self, place: Place, seconds: float = _RECOVERY) -> None:
        """Wait until live has passed the place; a projector that was killed or fenced is started again meanwhile."""

        def passed() -> bool:
            self._keep_a_projector()
            return self.stands(place) > place.offset

        until(passed, what=f"live passes {place}", seconds=seconds)

    def stands(self, place: Place) -> int:
        """The offset at which live stands in the place's partition; -1 while PostgreSQL does not answer."""
        try:
            ((offset,),) = self.sql(
                "SELECT next_offset FROM live.offsets WHERE topic = %s AND partition = %s", place.topic, place.partition
            )
        except psycopg.OperationalError:
            return -1
        return offset

    def recover(self) -> float:
        """Wait until a projector reads, as after a supervisor's restart; returns the seconds that it took."""
        began = time.monotonic()
        self._keep_a_projector()
        self.wait_for_live(self.probe())
        return time.monotonic() - began

    # What must be true.

    def settle(self, *, land: bool = True) -> None:
        """Pause the traffic, and wait until live stands at the end of the log, and bronze too unless told otherwise."""
        self.traffic.pause()
        ends = self.ends()

        def stands_there() -> bool:
            self._keep_a_projector()
            return self._live_offsets() == ends

        until(stands_there, what="live stands at the end of the log", seconds=_RECOVERY)
        if land:
            self.land()
            stands = self.sql("SELECT topic, partition, next_offset FROM bronze.offsets")
            assert {(topic, partition): stand for topic, partition, stand in stands} == ends

    def differences(self) -> Differences:
        """Compare the log with what was acknowledged, live with the log, and bronze with the log as far as it stands.

        The world has to be settled; traffic flows again when it returns.
        """
        found = self._read_log(self.ends())
        with self.connect() as connection:
            found += live_differs(connection, expected(self.log))
            stands = connection.execute("SELECT topic, partition, next_offset FROM bronze.offsets").fetchall()
            landed = {(topic, partition): stand for topic, partition, stand in stands}
            part = [message for message in self.log if message.offset < landed[message.topic, message.partition]]
            found += bronze_differs(connection, self.lake, expected(part))
        self.traffic.resume()
        return found

    def ends(self) -> dict[tuple[str, int], int]:
        """Where each partition ends for those who read what is committed."""
        for _ in range(5):
            try:
                return self._kafka.ends(self._topics)
            except LogUnavailable:  # what it knew of a broker that was killed is out of date
                self._kafka = Log(self.stack.bootstrap)
                time.sleep(1)
        return self._kafka.ends(self._topics)

    def close(self) -> None:
        self.traffic.stop()
        for child in self._children:
            if child.alive:
                child.kill()

    def _child(self, name: str, target: object, *given: object) -> Child:
        child = Child(target, self.folder / f"{name}-{next(self._numbers):04}.log", *given)
        self._children = [each for each in self._children if each.alive] + [child]
        return child

    def _keep_a_projector(self) -> None:
        """What the supervisor of `outlay up` does. A session may outlive its killed projector by a commit: the next
        one is fenced then, and the one after it goes on."""
        ended = self.projector
        if ended.alive:
            return
        killed = (ended.ended(0) or 0) < 0
        assert killed or ended.said_kinds()[-1:] == ["Fenced"], f"the projector ended: {ended.said()[-5:]}"
        self.projector = self.start_projector()

    def _begin_here(self) -> None:
        """Let live and bronze begin where the log ends now."""
        rows = [(topic, self.topic_ids[topic], number, end) for (topic, number), end in self._read_to.items()]
        with self.connect() as connection, connection.cursor() as cursor:
            for schema in ("live", "bronze"):
                cursor.executemany(
                    f"INSERT INTO {schema}.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s)",  # noqa: S608
                    rows,
                )

    def _live_offsets(self) -> dict[tuple[str, int], int]:
        try:
            return {(t, p): n for t, p, n in self.sql("SELECT topic, partition, next_offset FROM live.offsets")}
        except psycopg.OperationalError:
            return {}

    def _read_log(self, ends: dict[tuple[str, int], int]) -> Differences:
        """Read on to `ends`, and compare with what was sent, acknowledged and aborted."""
        self.log += self._messages(ends)
        found, counted = Differences(), {}
        for message in self.log:
            for number in numbers(message.headers):
                counted.setdefault(number, []).append(message)
        traffic = self.traffic
        for number, place in list(traffic.said.places.items()):
            held = counted.pop(number, [])
            if number in traffic.aborted:
                if held:
                    found.invented += 1
                    found.examples.append(f"Kafka gives the aborted message {number}")
                continue
            if not held:
                found.lost += 1
                found.examples.append(f"Kafka acknowledged message {number} at {place} and does not have it")
            elif len(held) > 1:
                found.doubled += 1
                found.examples.append(f"Kafka has message {number} {len(held)} times")
            elif place.offset not in (-1, held[0].offset) or place.partition != held[0].partition:
                found.changed += 1
                found.examples.append(f"Kafka acknowledged message {number} at {place} and has it at {held[0].place}")
        for number in counted:  # in the log without an acknowledgement: allowed for what was reported as failed
            if number not in traffic.said.errors:
                found.invented += 1
                found.examples.append(f"message {number} is in the log, Kafka said nothing of it")
        found.examples = found.examples[:10]
        return found

    def _messages(self, ends: dict[tuple[str, int], int]) -> Iterator[Message]:
        """What is committed from where the log was read to, to the ends."""
        open_ = {place for place, end in ends.items() if end > self._read_to[place]}
        if not open_:
            return
        given = {"bootstrap.servers": self.stack.bootstrap, "group.id": "chaos", "fetch.wait.max.ms": 10}
        given |= {"isolation.level": "read_committed", "enable.auto.commit": False, "enable.partition.eof": True}
        consumer = Consumer(given)
        consumer.assign([TopicPartition(*place, self._read_to[place]) for place in open_])
        deadline = time.monotonic() + _RECOVERY
        try:
            while open_:
                assert time.monotonic() < deadline, f"the log cannot be read to its ends in {sorted(open_)}"
                for message in consumer.consume(1_000, 0.1):
                    place = message.topic(), message.partition()
                    if message.error() is None:
                        yield self._as_sent(message)
                        continue
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    open_.discard(place)
        finally:
            consumer.close()
        self._read_to = ends

    def _as_sent(self, message: object) -> Message:
        headers = tuple(headers_of(message))
        place = message.topic(), self.topic_ids[message.topic()], message.partition(), message.offset()
        (number,) = numbers(headers) or (None,)
        held = message.timestamp()[1], message.key(), message.value(), headers
        if number is None:
            raise AssertionError(f"somebody else writes to the log: {place}")
        sent = self.traffic.sent[number]
        assert (sent.topic, sent.key, sent.value, sent.headers) == (place[0], *held[1:]), f"{place} was not sent so"
        return Message(*place, *held, sent.event, sent.storable)


@contextmanager
def world(stack: Settings, *, seed: int, **traffic: Any) -> Iterator[World]:
    """A run's own world, with traffic from the beginning; everything of it is gone at the end.

    The lake is on a small file system of its own where this process may mount one, so that it can be full.
    """
    with tempfile.TemporaryDirectory(prefix="outlay-chaos-") as folder, fresh_database(stack.dsn("owner")) as database:
        (Path(folder) / "mount").mkdir()
        mounted = mount(Path(folder) / "mount")
        try:
            made = World(stack, database, Path(folder), seed=seed, mounted=mounted, **traffic)
            try:
                made.traffic.start()
                yield made
            finally:
                made.close()
        finally:
            if mounted:
                run(("umount", "--lazy", str(Path(folder) / "mount")))


def until(condition: Callable[[], T], *, what: str, seconds: float) -> T:
    """The first truthy value of the condition, watched closely: a fault takes a moment, and a run has hundreds.

    Raises:
        AssertionError: it did not become true in time, which is a hang and not slowness.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.02)
    return found


def mount(folder: Path) -> bool:
    """Mount a small file system in memory; whether that is allowed here."""
    return run(("mount", "-t", "tmpfs", "-o", f"size={_LAKE_SIZE}", "outlay-chaos", str(folder)))


def run(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
    except FileNotFoundError:
        return False
