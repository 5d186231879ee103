"""What a system under measurement is: a sink that reads the topic `transaction` and writes it to PostgreSQL."""

from __future__ import annotations

import contextlib
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

TOPIC = "transaction"


@dataclass(frozen=True)
class Task:
    """What a sink has to do: write the topic from `start` on into the database, for ever.

    Args:
        dsn: the database, as its owner. It is migrated, and holds what `peer.sql` makes.
        bootstrap: Kafka's bootstrap servers.
        registry: base URL of the registry's Confluent-compatible API.
        start: partition number to the first offset to read.
        folder: for configuration, checkpoints and logs of the sink's own; the same after a kill.
    """

    dsn: str
    bootstrap: str
    registry: str
    start: Mapping[int, int]
    folder: Path


@dataclass
class Running:
    """The processes of a sink."""

    processes: list[subprocess.Popen] = field(default_factory=list)

    def kill(self) -> None:
        """SIGKILL, all at once, as a machine that dies: with their children."""
        for process in self.all():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in self.processes:
            process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for whom that is not enough."""
        for process in self.processes:
            process.terminate()
        _, alive = psutil.wait_procs(self.all(), timeout=15)
        if alive:
            self.kill()
        for process in self.processes:
            process.wait()

    def all(self) -> list[psutil.Process]:
        """The processes and their children that live."""
        found: list[psutil.Process] = []
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(process.pid)
                found += [root, *root.children(recursive=True)]
        return found

    def failed(self) -> bool:
        return any(process.poll() is not None for process in self.processes)


class System(ABC):
    """A sink. `table` is what it writes; `application` is how its sessions in PostgreSQL call themselves.

    `by_triggers`: whether it is measured once more with triggers that do all that it does not.
    """

    name: str
    table = "peer.transactions"
    application: str
    by_triggers = False

    def prepare(self) -> None:  # noqa: B027 (most need nothing)
        """Have all that it needs, downloaded if it is not there yet. Not measured."""

    @abstractmethod
    def start(self, task: Task) -> Running:
        """Begin, or go on after a kill where the last one's own bookkeeping says. Returns before the first row."""
