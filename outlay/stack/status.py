"""How each server is: its state, where it is, what it uses."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from outlay.settings import Settings
from outlay.stack import health, processes
from outlay.stack.errors import NotReady
from outlay.stack.services import specs
from outlay.stack.spec import ServiceSpec
from outlay.stack.supervisor import Process, Supervisor

State = Literal["running", "starting", "unhealthy", "stopped", "external", "unreachable"]
HEALTHY: set[State] = {"running", "external"}
_CPU_SECONDS = 0.3


@dataclass(frozen=True)
class Status:
    name: str
    state: State
    reason: str
    """Why it is not healthy; empty when it is."""
    address: str
    pid: int | None
    cpu_percent: float | None
    """Of one core, over the last moments, with everything it started."""
    memory_bytes: int | None
    """Its share of physical memory, with everything it started; memory that they share counts once."""
    uptime_seconds: float | None

    @property
    def healthy(self) -> bool:
        return self.state in HEALTHY


def status(here: Settings) -> list[Status]:
    """Every server's status, in the order of their starts.

    Raises:
        NotConfigured: the stack was never up.
    """
    known = Supervisor(here.home).processes()
    everything = specs(here)
    with ThreadPoolExecutor(len(everything)) as pool:
        return list(pool.map(lambda spec: _status(spec, known.get(spec.name)), everything))


def _status(spec: ServiceSpec, process: Process | None) -> Status:
    state, reason = _state(spec, process)
    pid = process.pid if process else None
    cpu, memory = _use(pid) if pid else (None, None)
    uptime = time.time() - process.started if process and pid else None
    return Status(spec.name, state, reason, spec.address, pid, cpu, memory, uptime)


def _state(spec: ServiceSpec, process: Process | None) -> tuple[State, str]:
    if not spec.external and (process is None or not process.wanted):
        return "stopped", "it was not started"
    if process is not None and not process.runs:
        return "starting", "its process ended, and is started again"
    try:
        health.check(spec, process.pid if process else None)
    except NotReady as reason:
        if spec.external:
            return "unreachable", str(reason)
        young = process is not None and time.time() - process.started < spec.start_seconds
        return ("starting" if young else "unhealthy"), str(reason)
    return ("external" if spec.external else "running"), ""


def _use(pid: int) -> tuple[float | None, int | None]:
    family = processes.tree(pid)
    processes.each(family, lambda process: process.cpu_percent(None))
    time.sleep(_CPU_SECONDS)
    cpu = processes.each(family, lambda process: process.cpu_percent(None))
    memory = processes.each(family, processes.memory)
    return (round(sum(cpu), 1), sum(memory)) if memory else (None, None)
