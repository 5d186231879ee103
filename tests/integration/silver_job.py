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
from pyspark import SparkContext
from pyspark.sql import SparkSession

from orchestration.batches import record_audit, stage
from orchestration.expectations.silver import audit
from orchestration.resources import SparkResource, spark_config
from outlay.settings import settings
from outlay.stack import processes

Moment = Literal["reading", "after_a_shuffle"]
"""While the first stage has done a part of its tasks; while a later one needs what the first has left on workers."""

TOPIC = "transaction"


@dataclass
class Watcher:
    """Looks at the stages of a job, and kills a worker at a moment of it."""

    worker: int | None
    moment: Moment
    failed: dict[int, int] = field(default_factory=dict)
    """Tasks that failed, by stage."""
    again: set[int] = field(default_factory=set)
    """Stages that were tried again, as what an earlier one had made was gone."""
    done: set[int] = field(default_factory=set)
    executors: list[int] = field(default_factory=list)
    """How many there were when the worker was killed, and at the end."""

    def watch(self, context: SparkContext, over: threading.Event) -> None:
        tracker = context.statusTracker()
        while not over.is_set():
            for stage_id in tracker.getActiveStageIds():
                if (found := tracker.getStageInfo(stage_id)) is None:
                    continue
                self.failed[stage_id] = max(self.failed.get(stage_id, 0), found.numFailedTasks)
                if found.currentAttemptId > 0:
                    self.again.add(stage_id)
                if found.numCompletedTasks == found.numTasks:
                    self.done.add(stage_id)
                busy = found.numActiveTasks >= 2
                there = self.done - {stage_id} if self.moment == "after_a_shuffle" else found.numCompletedTasks >= 2
                if self.worker and busy and there:
                    self.executors.append(_executors(context))
                    _kill(self.worker)
                    self.worker = None
            self.done |= self.failed.keys() - set(tracker.getActiveStageIds())
            time.sleep(0.002)
        self.executors.append(_executors(context))


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
            failures = []
            for batch in batches:
                found = [failure for outcome in audit(settings().lake, batch) for failure in outcome.failures()]
                record_audit(connection, batch, passed=not found)
                failures += found
    finally:
        over.set()
        resource.close()
    told = {
        "paths": [batch.path for batch in batches],
        "quarantined": sum(batch.rows_quarantined for batch in batches),
        "failures": failures,
        "failed_tasks": sum(watcher.failed.values()),
        "executors": watcher.executors,
        "stages_tried_again": len(watcher.again),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
