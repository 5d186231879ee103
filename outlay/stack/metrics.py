"""What the embedded servers use, in Prometheus' terms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from outlay.stack import processes
from outlay.stack.supervisor import Process, Supervisor


class ServicesCollector(Collector):
    """State, CPU time and memory of each server that the home's supervisor runs; nothing where there is none.

    A server counts with every process that it started. CPU time begins again at 0 with the server.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("outlay_service_up", "Whether the server's process runs.", labels=("service",))
        since = GaugeMetricFamily(
            "outlay_service_start_time_seconds", "Seconds since 1970 of the server's last start.", labels=("service",)
        )
        cpu = CounterMetricFamily("outlay_service_cpu_seconds", "CPU time of the server.", labels=("service",))
        memory = GaugeMetricFamily(
            "outlay_service_memory_bytes", "Physical memory of the server, shared pages in part.", labels=("service",)
        )
        for name, process in Supervisor(self._folder).processes().items():
            up.add_metric((name,), int(process.runs))
            if process.runs:
                since.add_metric((name,), process.started)
                cpu.add_metric((name,), _cpu_seconds(process))
                memory.add_metric((name,), sum(processes.each(processes.tree(process.pid), processes.memory)))
        yield from (up, since, cpu, memory)


def _cpu_seconds(process: Process) -> float:
    def seconds(of: psutil.Process) -> float:
        times = of.cpu_times()
        return times.user + times.system + times.children_user + times.children_system

    return sum(processes.each(processes.tree(process.pid), seconds))
