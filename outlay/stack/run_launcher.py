"""Dagster's launcher of runs, with the one answer it lacks: whether a run that has started still lives.

Without it a run whose process was killed counts as running for ever, and holds its place in the queue.
"""

from __future__ import annotations

import psutil
from dagster import DagsterEventType, DagsterRun, DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus

_CLOCK_SECONDS = 5.0


class WatchedRunLauncher(DefaultRunLauncher):
    """Runs are processes of the code server. The daemon looks for them by pid, so it must share its pids."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        started = self._process_started(run.run_id)
        if started is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "it has not said yet in which process it runs")
        pid, at = started
        if _lives(pid, at):
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(pid))
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            f"its process (pid {pid}) ended without a word: it was killed or ran out of memory; launch it again",
        )

    def _process_started(self, run_id: str) -> tuple[int, float] | None:
        """Pid of the run's process, and when it said so (seconds since 1970)."""
        for record in self._instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
            pid = record.dagster_event.engine_event_data.metadata.get("pid")
            if pid is not None:
                return int(pid.value), record.timestamp
        return None


def _lives(pid: int, at: float) -> bool:
    """Whether the process that had `pid` at the instant `at` still runs, rather than a later one of the same number."""
    try:
        process = psutil.Process(pid)
        return process.create_time() <= at + _CLOCK_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
