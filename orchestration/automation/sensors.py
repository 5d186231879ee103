"""Builds by what happens: events that no build has landed, and events that somebody released from quarantine."""

from dagster import (
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from ingestion.contracts import TOPICS
from ingestion.landing import pending
from orchestration.automation.jobs import build_job
from orchestration.batches.register import waiting_releases
from outlay.db import session
from outlay.settings import settings

_WAITING_OR_RUNNING = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@sensor(
    job=build_job,
    minimum_interval_seconds=60,
    description=(
        "Asks for a build when the log holds events that bronze does not, or events were released from quarantine, and"
        " no build waits or runs."
    ),
    default_status=DefaultSensorStatus.RUNNING if settings().auto_build else DefaultSensorStatus.STOPPED,
)
def unlanded_events(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    with session("pipeline") as connection:
        unlanded = pending(bootstrap=settings().bootstrap, connection=connection, topics=TOPICS)
        released = len(waiting_releases(connection))
    total = sum(unlanded.values()) + released
    if total == 0:
        return SkipReason("bronze holds every event of the log, and nothing released waits")
    busy = context.instance.get_run_records(RunsFilter(job_name=build_job.name, statuses=_WAITING_OR_RUNNING), limit=1)
    if busy:
        return SkipReason(f"{total} events wait; run {busy[0].dagster_run.run_id} will take them or the next tick will")
    tags = {
        "outlay/launched_by": "sensor",
        "outlay/unlanded_events": str(total - released),
        "outlay/released_events": str(released),
    }
    return SensorResult(run_requests=[RunRequest(tags=tags)])
