"""The named faults. Each strikes a world in which traffic flows, and returns what showed that it was reached.

A fault that was not reached raises `NotReached`: a run never counts what did not happen.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from confluent_kafka import KafkaException, Producer

from ingestion.producer import KAFKA_LOG
from outlay.stack.supervisor import Supervisor
from tests.chaos import kill_points, landing_points
from tests.chaos.children import Armed, Child
from tests.chaos.world import LIVE, World, run, until

NOBODY = "http://127.0.0.1:9/apis/ccompat/v7"
"""A registry that is down."""

_HANG = 30  # seconds


class NotReached(AssertionError):
    """The fault did not happen as its name says."""


@dataclass(frozen=True)
class Fault:
    """`weight` is how often it is chosen among the others; `shared`: it strikes servers that others may use too."""

    name: str
    strike: Callable[[World], str]
    weight: float = 1
    shared: bool = False
    mounts: bool = False


FAULTS: dict[str, Fault] = {}


def fault(name: str, **given: object) -> Callable:
    def register(strike: Callable[[World], str]) -> Callable[[World], str]:
        FAULTS[name] = Fault(name, strike, **given)
        return strike

    return register


def reached(condition: object, what: str) -> None:
    if not condition:
        raise NotReached(what)


def able(*, shared: bool, mounts: bool) -> list[Fault]:
    """The faults that may strike: on shared servers, and where a file system may be mounted."""
    return [each for each in FAULTS.values() if (shared or not each.shared) and (mounts or not each.mounts)]


def choose(rng: Random, able: list[Fault]) -> Fault:
    """One of these, by weight."""
    return rng.choices(able, [each.weight for each in able])[0]


# The projector.


def kill_projector_at(point: str, world: World) -> str:
    world.projector.kill()
    for _ in range(3):
        armed = world.projector = world.start_projector(Armed(point))
        code = armed.ended(_HANG)
        if armed.said_kinds()[-1:] != ["Fenced"]:  # by a commit that its predecessor had sent
            break
    reached(code == -signal.SIGKILL, f"the projector did not come to {point}: exit code {code}, {armed.said()[-3:]}")
    return f"killed itself with {signal.Signals(-code).name}"


for _point in kill_points.POINTS:
    fault(f"projector killed at {_point}", weight=2)(partial(kill_projector_at, _point))


@fault("projector killed at a random moment", weight=16)
def kill_projector(world: World) -> str:
    wait = world.random.uniform(0, 0.6)
    time.sleep(wait)
    victim = world.projector
    reached(victim.alive, "there was no projector to kill")
    victim.kill()
    reached(victim.ended(10) == -signal.SIGKILL, "the projector did not die")
    return f"killed after {wait:.2f} s"


@fault("two projectors", weight=4)
def two_projectors(world: World) -> str:
    """One of the two is fenced; the other goes on, or is fenced where the first was sooner, and is started again."""
    both = [world.projector, world.start_projector()]
    fenced, survivor = _one_is_fenced(both)
    world.projector = survivor
    return f"the {'first' if fenced is both[0] else 'second'} was fenced"


@fault("zombie projector", weight=4)
def zombie_projector(world: World) -> str:
    """Stopped with a batch in memory; wakes after another has gone on, and must write nothing."""
    world.projector.kill()
    zombie = _stop_projector_at(world, "read")
    world.projector = world.start_projector()
    world.wait_for_live(world.probe())
    reached(zombie.stopped, "it was not stopped all the time")
    zombie.signal(signal.SIGCONT)
    code = zombie.ended(_HANG)
    reached(code == 1 and zombie.said_kinds()[-1:] == ["Fenced"], f"exit code {code}, {zombie.said()[-3:]}")
    return "woke and was fenced"


def zombie_in_transaction(point: str, world: World) -> str:
    """Stopped inside its transaction: nothing is locked yet, or PostgreSQL ends it; another goes on."""
    world.projector.kill()
    zombie = _stop_projector_at(world, point)
    try:
        world.projector = world.start_projector()
        world.wait_for_live(world.probe(), seconds=_HANG)
        reached(zombie.stopped, "it was not stopped all the time")
    except BaseException:
        zombie.kill()
        raise
    zombie.signal(signal.SIGCONT)
    fenced, survivor = _one_is_fenced([zombie, world.projector])
    world.projector = survivor
    reached(zombie.said_kinds(), "the zombie did not learn that its transaction was ended")
    return f"woke to {zombie.said_kinds()[0]}; then the {'zombie' if fenced is zombie else 'other'} was fenced"


for _point in ("copying", "events", "totals"):
    fault(f"zombie projector inside its transaction at {_point}")(partial(zombie_in_transaction, _point))


def _stop_projector_at(world: World, point: str) -> Child:
    stopped = world.start_projector(Armed(point, signal.SIGSTOP))
    until(lambda: stopped.stopped or not stopped.alive, what=f"a projector stopped at {point}", seconds=_HANG)
    reached(stopped.stopped, f"the projector ended before {point}: {stopped.said()[-3:]}")
    return stopped


def _one_is_fenced(both: list[Child]) -> tuple[Child, Child]:
    until(lambda: any(not each.alive for each in both), what="one of two projectors ends", seconds=_HANG)
    fenced = next(each for each in both if not each.alive)
    survivor = next(each for each in both if each is not fenced)
    reached(
        fenced.ended(10) == 1 and fenced.said_kinds()[-1:] == ["Fenced"],
        f"one ended with {fenced.ended(0)}: {fenced.said()[-3:]}",
    )
    return fenced, survivor


@fault("registry down when a projector starts", weight=2)
def registry_down(world: World) -> str:
    world.projector.kill()
    blind = world.projector = world.start_projector(registry=NOBODY)
    place = world.probe()
    until(lambda: "RegistryUnavailable" in blind.said_kinds(), what="the projector misses the registry", seconds=_HANG)
    reached(world.stands(place) <= place.offset, "live passed an event whose schema it could not know")
    world.replace_projector()
    return "waited for it, and moved past nothing"


# PostgreSQL, as the projector sees it.


@fault("projector's session terminated", weight=8)
def terminate_projector(world: World) -> str:
    place = world.probe()
    world.wait_for_live(place)  # so that it has a session
    victim, before = world.projector, len(world.projector.said_kinds())
    time.sleep(world.random.uniform(0, 0.3))

    def noticed() -> bool:
        _terminate(world, LIVE)  # again, for it may have had none, or was about to end it: lanes come and go
        return len(victim.said_kinds()) > before

    until(noticed, what="the projector noticed", seconds=_HANG)
    reached(victim.alive, f"the projector ended: {victim.said()[-3:]}")
    return f"terminated, told as {victim.said_kinds()[-1]}"


def _terminate(world: World, application: str) -> int:
    return len(_sessions(world, application, "pg_terminate_backend(pid)"))


def _sessions(world: World, application: str, asked: str, where: str = "true") -> list[Any]:
    """`asked` of each of the application's sessions in the world's database for which `where` holds."""
    query = f"SELECT {asked} FROM pg_stat_activity WHERE datname = current_database()"  # noqa: S608
    return [value for (value,) in world.sql(f"{query} AND application_name = %s AND {where}", application)]


@fault("lock held on live", weight=4)
def lock_held(world: World) -> str:
    table = world.random.choice(("offsets", "events", "transactions", "monthly_totals", "transaction_lines"))
    seconds = world.random.uniform(0.3, 1.5)
    with world.connect() as connection, connection.transaction():
        connection.execute(f"LOCK TABLE live.{table} IN ACCESS EXCLUSIVE MODE")
        until(lambda: _waits(world), what="the projector waits for the lock", seconds=_HANG)
        time.sleep(seconds)
        reached(_waits(world), "the projector did not wait for the lock")
    return f"live.{table} for {seconds:.1f} s"


@fault("deadlock", weight=2)
def deadlock(world: World) -> str:
    """The projector holds rows of live.offsets and wants the totals; we hold the totals and want those rows."""
    victim, before = world.projector, len(world.projector.said_kinds())
    with world.connect() as connection, connection.transaction():
        connection.execute("SET LOCAL deadlock_timeout = '30s'")  # so that the projector finds it, and is the victim
        connection.execute("LOCK TABLE live.monthly_totals IN ACCESS EXCLUSIVE MODE")
        until(lambda: _waits(world), what="the projector waits for the lock", seconds=_HANG)
        connection.execute("SELECT FROM live.offsets FOR UPDATE")
    until(lambda: "DeadlockDetected" in victim.said_kinds()[before:], what="the projector was the victim", seconds=30)
    reached(victim.alive, "the projector ended")
    return "the projector was the victim and went on"


def _waits(world: World) -> bool:
    return bool(_sessions(world, LIVE, "pid", where="wait_event_type = 'Lock'"))


# The log.


@fault("transaction of a producer aborted", weight=6)
def aborted(world: World) -> str:
    """Kafka has taken the messages, and gives them to nobody; those committed between are given."""
    rng, name, traffic = world.random, str(uuid4()), world.traffic
    producer, given_to_nobody = _transactional(world, name), 0
    for number in range(rng.randint(1, 3)):
        messages = traffic.some(rng, rng.randint(1, 20)) + traffic.pair(rng)
        abort = number == 0 or rng.random() < 0.7
        producer.begin_transaction()
        for message in messages:
            traffic.produce(producer, message, aborted=abort)
        reached(producer.flush(_HANG) == 0, "Kafka did not answer for the messages")
        taken = [traffic.said.places.get(message.number) for message in messages]
        reached(all(place is not None and place.offset >= 0 for place in taken), "Kafka refused a message")
        time.sleep(rng.uniform(0, 0.3))  # an open transaction holds back what comes after it
        if not abort:
            producer.commit_transaction(_HANG)
            continue
        given_to_nobody += len(messages)
        if rng.random() < 0.5:
            producer.abort_transaction(_HANG)
        else:  # its producer is gone: the next of its name ends what it left open
            producer = _transactional(world, name)
    return f"{given_to_nobody} messages aborted"


def _transactional(world: World, name: str) -> Producer:
    given = {"bootstrap.servers": world.stack.bootstrap, "transactional.id": name, "partitioner": "murmur2_random"}
    producer = Producer(given, logger=KAFKA_LOG)
    for _ in range(4):
        try:
            producer.init_transactions(_HANG)
            return producer
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
    producer.init_transactions(_HANG)
    return producer


@fault("clock wrong", weight=2, shared=True)
def clock(world: World) -> str:
    """Events recorded by machines whose clocks are centuries off."""
    centuries = [datetime(1970, 1, 1, tzinfo=UTC), datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
                 datetime(2999, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]  # fmt: skip
    at = world.random.choice(centuries)
    places = world.traffic.send(*world.traffic.burst(world.random, at, 20))
    for place in places:
        world.wait_for_live(place)
    ((held,),) = world.sql("SELECT count(*) FROM live.events WHERE recorded_at = %s", at)
    reached(held >= len(places), f"{held} of {len(places)} are in live")
    return f"{len(places)} events of {at:%Y}"


# The landing.


def kill_landing_at(point: str, world: World) -> str:
    world.traffic.send(*world.traffic.pair(world.random), *world.traffic.pair(world.random))
    armed = world.start_landing(Armed(point), max_rows=200_000)
    code = armed.ended(_HANG)
    reached(code == -signal.SIGKILL, f"the landing did not come to {point}: exit code {code}, {armed.said()[-3:]}")
    return f"killed itself; the next landed {world.land()}"


for _point in landing_points.POINTS:
    fault(f"landing killed at {_point}", weight=2)(partial(kill_landing_at, _point))


@fault("landing killed at a random moment", weight=10)
def kill_landing(world: World) -> str:
    for _ in range(8):
        world.probe()
        victim = world.start_landing(max_rows=20)
        wait = world.random.uniform(0.05, 0.5)
        if victim.ended(wait) is None:
            victim.kill()
            reached(victim.ended(10) == -signal.SIGKILL, "the landing did not die")
            return f"killed after {wait:.2f} s; the next landed {world.land()}"
    raise NotReached("every landing had ended before")


@fault("landing's session terminated", weight=4)
def terminate_landing(world: World) -> str:
    victim = _stop_landing_at(world, world.random.choice(("read", "stored", "named", "commit")))
    reached(_terminate(world, landing_points.NAME) == 1, "the landing had no session")
    victim.signal(signal.SIGCONT)
    code = victim.ended(_HANG)
    reached(code == 1, f"the landing ended with {code}: {victim.said()[-3:]}")
    return f"ended with {victim.said_kinds()[-1]}; the next landed {world.land()}"


@fault("zombie landing", weight=3)
def zombie_landing(world: World) -> str:
    """Stopped before its file is named, it loses its session and thereby its turn; wakes after another has landed."""
    zombie = _stop_landing_at(world, world.random.choice(("read", "half", "stored")))
    reached(_terminate(world, landing_points.NAME) == 1, "the landing had no session")
    landed = world.land()
    reached(zombie.stopped, "it was not stopped all the time")
    zombie.signal(signal.SIGCONT)
    code = zombie.ended(_HANG)
    reached(code == 1 and landed > 0, f"it ended with {code} after another landed {landed}: {zombie.said()[-3:]}")
    return f"woke after {landed} had landed and ended with {zombie.said_kinds()[-1]}"


def _stop_landing_at(world: World, point: str) -> Child:
    world.probe()
    stopped = world.start_landing(Armed(point, signal.SIGSTOP))
    until(lambda: stopped.stopped or not stopped.alive, what=f"a landing stopped at {point}", seconds=_HANG)
    reached(stopped.stopped, f"the landing ended before {point}: {stopped.said()[-3:]}")
    return stopped


@fault("two landings", weight=3)
def two_landings(world: World) -> str:
    world.probe()
    both = [world.start_landing(), world.start_landing()]
    codes = [each.ended(_HANG) for each in both]
    reached(codes == [0, 0], f"they ended with {codes}: {[each.said()[-1:] for each in both]}")
    return f"landed {[each.said()[-1]['rows'] for each in both]}"


@fault("registry down when a landing starts", weight=2)
def landing_without_registry(world: World) -> str:
    world.probe()
    blind = world.start_landing(registry=NOBODY)
    _must_stop(blind, "RegistryUnavailable")
    return f"was told; the next landed {world.land()}"


@fault("lake not writable", weight=3, mounts=True)
def lake_read_only(world: World) -> str:
    world.land()
    with _read_only(world):
        world.probe()
        stopped = world.start_landing()
        _must_stop(stopped, "LakeUnavailable", "Read-only file system")
    return f"was told; the next landed {world.land()}"


@fault("lake full", weight=3, mounts=True)
def lake_full(world: World) -> str:
    world.land()
    ballast = world.mount / "ballast"
    try:
        room = shutil.disk_usage(world.mount).free - world.random.choice((0, 4096))
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)
        world.traffic.send(*world.traffic.some(world.random, 200))
        stopped = world.start_landing()
        _must_stop(stopped, "LakeUnavailable", "No space left on device")
    finally:
        ballast.unlink()
    return f"was told; the next landed {world.land()}"


@fault("PostgreSQL out of disk", weight=1.5, mounts=True)
def database_full(world: World) -> str:
    """The history lies on a small file system of its own, which fills up; the projector waits for room."""
    with _history_on_a_small_disk(world) as disk:
        world.wait_for_live(world.probe())
        ballast = disk / "ballast"
        _fill_up(disk, ballast)
        try:
            deadline = time.monotonic() + _HANG
            while "DiskFull" not in world.projector.said_kinds():
                reached(time.monotonic() < deadline, f"the projector met no full disk: {world.projector.said()[-3:]}")
                world.traffic.send(*world.traffic.some(world.random, 200))
            time.sleep(world.random.uniform(0, 2))
            reached(world.projector.alive, f"the projector ended: {world.projector.said()[-3:]}")
        finally:
            ballast.unlink()
        world.recover()
    return "waited until there was room"


def _fill_up(disk: Path, ballast: Path) -> None:
    """Take all that is free; what PostgreSQL takes at the same moment is no longer free."""
    with ballast.open("wb") as file:
        while True:
            try:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return


@contextmanager
def _history_on_a_small_disk(world: World) -> Iterator[Path]:
    """Have the rows of live.events on a file system of a few megabytes, and back at the end."""
    name = f"chaos_{uuid4().hex}"
    ((data,),) = world.sql("SHOW data_directory")
    disk = Path(tempfile.mkdtemp(prefix="outlay-chaos-disk-"))
    try:
        ((held,),) = world.sql("SELECT pg_relation_size('live.events')")
        room = f"{4 + held // 2**20}m"
        reached(run(("mount", "-t", "tmpfs", "-o", f"size={room}", "outlay-chaos", str(disk))), "no disk was mounted")
        owner = Path(data).stat()
        rows = disk / "rows"
        rows.mkdir()
        for folder in (disk, rows):
            os.chown(folder, owner.st_uid, owner.st_gid)
        world.sql(f"CREATE TABLESPACE {name} LOCATION '{rows}'")
        world.sql(f"ALTER TABLE live.events SET TABLESPACE {name}")
        try:
            yield disk
        finally:
            world.sql("ALTER TABLE live.events SET TABLESPACE pg_default")
            world.sql(f"DROP TABLESPACE {name}")
    finally:
        run(("umount", "--lazy", str(disk)))
        disk.rmdir()


def _must_stop(child: Child, kind: str, text: str = "") -> None:
    code, said = child.ended(_HANG), child.said()[-1:]
    told = [each for each in said if each.get("kind") == kind and text in each["error"]]
    reached(code == 1 and told, f"the landing ended with {code}, expected {kind} {text}: {said}")


@contextmanager
def _read_only(world: World):
    reached(run(("mount", "-o", "remount,ro", str(world.mount))), "the lake could not be made read-only")
    try:
        yield
    finally:
        reached(run(("mount", "-o", "remount,rw", str(world.mount))), "the lake could not be made writable again")


# Servers that others may use too.


@fault("broker killed", weight=1.5, shared=True)
def kill_broker(world: World) -> str:
    return _kill_server(world, "kafka")


@fault("PostgreSQL killed", weight=2, shared=True)
def kill_postgresql(world: World) -> str:
    return _kill_server(world, "postgres")


@fault("PostgreSQL's backend killed", weight=3, shared=True)
def kill_backend(world: World) -> str:
    """SIGKILL of the projector's backend: PostgreSQL ends every session and recovers from its log."""
    world.wait_for_live(world.probe())
    victim, before = world.projector, len(world.projector.said_kinds())

    def killed() -> bool:
        try:
            os.kill(_sessions(world, LIVE, "pid")[0], signal.SIGKILL)
        except (IndexError, ProcessLookupError):  # lanes come and go, and their sessions with them
            return False
        return True

    until(killed, what="a session of the projector's is killed", seconds=_HANG)
    until(lambda: len(victim.said_kinds()) > before, what="the projector noticed", seconds=_HANG)
    until(lambda: _answers(world), what="PostgreSQL has recovered", seconds=_HANG)
    reached(victim.alive, f"the projector ended: {victim.said()[-3:]}")
    return f"told as {victim.said_kinds()[-1]}"


@fault("registry killed", weight=1, shared=True)
def kill_registry(world: World) -> str:
    world.projector.kill()
    said = _kill_server(world, "registry", meanwhile=lambda: setattr(world, "projector", world.start_projector()))
    world.wait_for_live(world.probe())
    reached("RegistryUnavailable" in world.projector.said_kinds(), "the new projector did not miss the registry")
    return said


def _kill_server(world: World, name: str, meanwhile: Callable[[], None] = lambda: None) -> str:
    supervisor = Supervisor(world.stack.home)
    before = supervisor.processes()[name].pid
    reached(before, f"{name} does not run")
    server = psutil.Process(before)
    for process in (server, *server.children(recursive=True)):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([server], 10)
    meanwhile()
    until(lambda: supervisor.processes()[name].pid not in (None, before), what=f"{name} is started again", seconds=60)
    until(lambda: _answers(world), what="PostgreSQL answers", seconds=_HANG)
    return f"process {before} killed, {supervisor.processes()[name].pid} took its place"


def _answers(world: World) -> bool:
    try:
        return bool(world.sql("SELECT 1"))
    except psycopg.OperationalError:
        return False
