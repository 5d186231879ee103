"""Bringing the stack up and taking it down."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import get_args

from outlay.settings import Service, Settings
from outlay.stack import files, health, home, jars, ports, preflight, processes
from outlay.stack.conf import supervisord_conf
from outlay.stack.errors import Broken, NotReady, StackError
from outlay.stack.log_tail import last_words
from outlay.stack.services import spark, specs
from outlay.stack.spec import ServiceSpec, with_needs
from outlay.stack.supervisor import UNREACHABLE, Supervisor

SERVICES: tuple[Service, ...] = get_args(Service)
_POLL_SECONDS = 0.15
_FAILED_STARTS = 4

Say = Callable[[str], None]
Progress = Callable[[str, int, int], None]


def up(here: Settings, *, only: set[Service] | None = None, say: Say, progress: Progress) -> None:
    """Start the servers (`only` some, with what they need) that do not run, and return when all are healthy.

    `say` gets a line for each server as it becomes ready. Running it again, or in two places at once, is safe.

    Raises:
        StackError: something is missing on this machine, or a server did not become healthy.
    """
    wanted = set(only or SERVICES)
    preflight.check(here.home, _embedded(here, wanted))
    home.make(here.home)
    with files.locked(home.lock_file(here.home)):
        jars.fetch(_jar_groups(here, wanted), here.cache, progress)
        supervisor = Supervisor(here.home)
        if not supervisor.alive():
            _stop_leftovers(here.home, say)
        here = _remember(here, supervisor)
        everything = specs(here)
        chosen = with_needs(everything, wanted)
        _configure(supervisor, everything, chosen)
        _start(supervisor, chosen, say)


def down(folder: Path, *, say: Say, seconds: float = 60.0) -> int:
    """Stop every process of the home; returns how many there were. Data, ports and passwords stay."""
    if not folder.exists():
        return 0
    with files.locked(home.lock_file(folder)):
        supervisor = Supervisor(folder)
        running = processes.of_home(folder)
        with suppress(*UNREACHABLE):  # it does not run: what it left is stopped below
            supervisor.shutdown()
            _wait_gone(folder, seconds)
        _stop_leftovers(folder, say)
        home.remove_socket(folder)
    return len(running)


def _embedded(here: Settings, wanted: set[Service]) -> set[Service]:
    given = {
        "postgres": here.database_url,
        "kafka": here.kafka_bootstrap,
        "registry": here.schema_registry_url,
        "spark": here.spark_remote,
    }
    needed = set(wanted)
    if needed - {"kafka", "spark"}:
        needed.add("postgres")
    if needed & {"live", "app"}:
        needed |= {"kafka", "registry"}
    return {name for name in needed if not given.get(name)}


def _jar_groups(here: Settings, wanted: set[Service]) -> list[str]:
    ours = [name for name in ("kafka", "registry") if name in _embedded(here, wanted)]
    return ours + (spark.jar_groups(here) if "spark" in wanted else [])


def _remember(here: Settings, supervisor: Supervisor) -> Settings:
    """Make passwords and choose ports, where there are none yet."""
    home.make_passwords(here.home)
    known = supervisor.processes()
    owners = {name: known.get(name.removesuffix("_controller")) for name in here.state}
    ports.choose(
        here.home,
        here.cache,
        keep={
            name
            for name, process in owners.items()
            if process and process.pid and processes.listens(process.pid, here.state[name])
        },
    )
    return home.reload(here)


def _configure(supervisor: Supervisor, everything: list[ServiceSpec], chosen: list[ServiceSpec]) -> None:
    """Write the configuration, make the data folders, and have a supervisor that knows it."""
    files.write(supervisor.conf, supervisord_conf(supervisor.folder, everything))
    alive = supervisor.alive()
    if alive:
        supervisor.apply_configuration()
    running = {name for name, process in supervisor.processes().items() if process.wanted}
    idle = [spec for spec in chosen if not spec.external and spec.name not in running]
    with ThreadPoolExecutor() as pool:
        for prepared in [pool.submit(_prepare, spec) for spec in idle]:
            prepared.result()
    if not alive:
        supervisor.launch()


def _prepare(spec: ServiceSpec) -> None:
    spec.prepare()
    for path, text in spec.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text, mode=0o644)


def _start(supervisor: Supervisor, chosen: list[ServiceSpec], say: Say) -> None:
    """Start all, each as soon as what it needs is ready."""
    ready: dict[str, Future] = {}
    with ThreadPoolExecutor(len(chosen)) as pool:
        for spec in chosen:
            needs = [ready[name] for name in spec.needs]
            ready[spec.name] = pool.submit(_start_one, supervisor, spec, needs, say)
        failures = [future.exception() for future in as_completed(ready.values()) if future.exception()]
    for failure in failures:
        if not isinstance(failure, _NeedFailed):
            raise failure


class _NeedFailed(Exception):
    """A server was not started, as one that it needs is not ready."""


def _start_one(supervisor: Supervisor, spec: ServiceSpec, needs: list[Future], say: Say) -> None:
    if any(need.exception() for need in needs):
        raise _NeedFailed(spec.name)
    began = time.monotonic()
    if spec.external:
        try:
            spec.healthy()
        except NotReady as reason:
            raise StackError(f"{spec.name} is set to an address in the environment, but {reason}") from reason
    else:
        supervisor.start(spec.name)
        _wait_healthy(supervisor, spec)
    remark = spec.provision()
    where = "".join(f"  {part}" for part in (spec.address, remark) if part)
    kind = "in use  " if spec.external else "ready   "
    say(f"{spec.name:<10}{kind}{time.monotonic() - began:5.1f} s{where}")


def _wait_healthy(supervisor: Supervisor, spec: ServiceSpec) -> None:
    deadline = time.monotonic() + spec.start_seconds
    starts: set[float] = set()
    while True:
        process = supervisor.processes().get(spec.name)
        reason = "its process ended"
        if process is not None:
            starts.add(process.started)
            if process.runs:
                try:
                    return health.check(spec, process.pid)
                except Broken as broken:
                    raise StackError(_why(supervisor.folder, spec, str(broken))) from broken
                except NotReady as not_yet:
                    reason = str(not_yet)
        if time.monotonic() > deadline or len(starts) > _FAILED_STARTS:
            raise StackError(_why(supervisor.folder, spec, reason))
        time.sleep(_POLL_SECONDS)


def _why(folder: Path, spec: ServiceSpec, reason: str) -> str:
    said = last_words(home.log_file(folder, spec.name))[:400]
    log_says = f"; its log says: {said}" if said else ""
    return f"{spec.name} did not become ready: {reason}{log_says}; see `outlay logs {spec.name}`"


def _stop_leftovers(folder: Path, say: Say) -> None:
    if left := processes.of_home(folder):
        say(f"stopping {len(left)} processes that a killed supervisor left")
        processes.stop(left)


def _wait_gone(folder: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while processes.of_home(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
