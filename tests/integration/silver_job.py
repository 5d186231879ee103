"""Silver's job as a process of its own, as a run of Dagster is: stage what waits, audit it, print what became of it.

``python -m tests.integration.silver_job DSN [PID MOMENT]``: at the moment, kills the worker of its cluster with that
process id, and the executor that it runs.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Literal, get_args

import psycopg
from pyspark import SparkContext, SparkStageInfo
from pyspark.sql import SparkSession

from orchestration.batches import stage
from orchestration.expectations.silver import audit_staged
from orchestration.spark import SparkResource, spark_config
from outlay.settings import settings
from outlay.stack import processes

Moment = Literal["reading", "after_a_shuffle"]
"""While the first stage has done a part of its tasks; while most tasks of a later one have yet to fetch what it left on
the workers.
"""

SHUFFLE_PARTITIONS = 16
"""How many tasks a stage has that reads what another has left: more than any that reads files."""

TOPIC = "transaction"


@dataclass
class Watcher:
    """Looks at the stages of a job, and kills a worker at a moment of it."""

    worker: int | None
    moment: Moment
    failed: dict[tuple[int, int], int] = field(default_factory=dict)
    """Tasks that failed, by stage and attempt: a second one is made when what an earlier stage had left is gone."""
    executors: list[int] = field(default_factory=list)
    """How many there were when the worker was killed, and at the end."""

    def watch(self, context: SparkContext, over: threading.Event) -> None:
        tracker = context.statusTracker()
        seen: set[int] = set()
        last = False
        while not last:
            last = over.is_set()
            seen |= set(tracker.getActiveStageIds())
            for found in filter(None, map(tracker.getStageInfo, seen)):
                self.failed[found.stageId, found.currentAttemptId] = found.numFailedTasks
                if self.worker and self._is_now(found):
                    self.executors.append(_executors(context))
                    _kill(self.worker)
                    self.worker = None
            time.sleep(0.002)
        self.executors.append(_executors(context))

    def _is_now(self, stage: SparkStageInfo) -> bool:
        if stage.numActiveTasks < 2 or stage.numCompletedTasks < 2:
            return False
        to_start = stage.numTasks - stage.numCompletedTasks - stage.numActiveTasks
        after_a_shuffle = stage.numTasks == SHUFFLE_PARTITIONS
        return after_a_shuffle and to_start > SHUFFLE_PARTITIONS / 2 if self.moment == "after_a_shuffle" else True


def _executors(context: SparkContext) -> int:
    return len(context._jsc.sc().statusTracker().getExecutorInfos()) - 1  # the driver is one


def _kill(worker: int) -> None:
    for process in processes.tree(worker):
        process.kill()


def main(dsn: str, worker: str = "0", moment: str = "reading") -> None:
    assert moment in get_args(Moment), moment
    resource = SparkResource(spark_config=spark_config(settings()))
    watcher, over = Watcher(int(worker) or None, moment), threading.Event()

    def started() -> SparkSession:
        session = resource.spark_session
        if not watching.is_alive():
            watching.start()
        return session

    watching = threading.Thread(target=lambda: watcher.watch(resource.spark_session.sparkContext, over))
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            batches = stage(started, connection, settings().lake, TOPIC)
            over.set()
            watching.join()
            outcomes = [each for batch in batches for each in audit_staged(connection, settings().lake, batch)]
    finally:
        over.set()
        resource.close()
    told = {
        "paths": [batch.path for batch in batches],
        "failures": [failure for outcome in outcomes for failure in outcome.failures()],
        "failed_tasks": sum(watcher.failed.values()),
        "executors": watcher.executors,
        "stages_tried_again": sum(attempt > 0 for _, attempt in watcher.failed),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
