"""The projector and the landing as processes of their own, forked from a server that has loaded the code already."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import structlog

from ingestion.contracts import TOPICS
from ingestion.landing import LandingError, land
from ingestion.projection import Load, ProjectionError, loop
from tests.chaos import kill_points, landing_points

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])
_RESTLESS = 0.05  # the chance of a batch to ask for another number of lanes
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Addresses(NamedTuple):
    """Where a child finds its servers; `dsn` is that of its own role."""

    bootstrap: str
    registry: str
    dsn: str
    lake: str = ""


class Armed(NamedTuple):
    """A point at which a child gets a signal from itself."""

    point: str
    signum: int = signal.SIGKILL


class Restless(Load):
    """Lets lanes come and go for no reason, so that whatever happens may happen amid that."""

    def count(self, messages: int, *, waiting: int, of: int) -> None:
        if of == self.lanes and random.random() < _RESTLESS:  # noqa: S311
            self.lanes = 3 - of


class Child:
    """A process, and what it said: one JSON object a line."""

    def __init__(self, target: Callable[..., None], log: Path, *args: Any):
        self.log = log
        self._process = _PROCESSES.Process(target=target, args=(str(log), *args), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether it has got SIGSTOP and not yet SIGCONT."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except FileNotFoundError:
            return False

    def signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def ended(self, seconds: float) -> int | None:
        """The exit code, negative for a signal; None when it still runs after so long."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()
        self._process.join(30)

    def said(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in lines]

    def said_kinds(self) -> list[str]:
        """The errors that it told of, by their classes' names."""
        return [said["kind"] for said in self.said() if "kind" in said]


def projector(log: str, where: Addresses, armed: Armed | None) -> None:
    """Target: what `outlay live` runs, until SIGTERM."""
    _begin(log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if armed is not None:
        kill_points.arm(*armed)
    try:
        load = Restless(2)
        loop.run(bootstrap=where.bootstrap, registry_url=where.registry, dsn=where.dsn, stop=stop, load=load)
    except ProjectionError as error:
        _tell(event="live stops", kind=type(error).__name__, error=str(error))
        sys.exit(1)


def landing(log: str, where: Addresses, armed: Armed | None, max_rows: int) -> None:
    """Target: one landing of all topics."""
    _begin(log)
    connect = landing_points.arm(*armed) if armed is not None else _connect
    try:
        landed = land(
            bootstrap=where.bootstrap,
            registry_url=where.registry,
            lake=where.lake,
            connect=lambda: connect(where.dsn),
            topics=TOPICS,
            max_rows=max_rows,
        )
    except (LandingError, psycopg.Error, RuntimeError) as error:
        _tell(event="landing stops", kind=type(error).__name__, error=str(error))
        sys.exit(1)
    _tell(event="landed", rows=sum(each.rows + each.unreadable for each in landed))


def _connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, application_name=landing_points.NAME)


def _begin(log: str) -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(os.fdopen(1, "w", buffering=1, closefd=False)),
    )


def _tell(**said: Any) -> None:
    os.write(1, json.dumps(said | {"at": time.time()}).encode() + b"\n")
