"""Runs by what happens: events that no build has landed, events released from quarantine, results of checks."""

from dagster import (
    DagsterInstance,
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
from orchestration.automation.jobs import build_job, data_docs_job
from orchestration.expectations import data_docs
from outlay.db import session
from outlay.run_tags import LAUNCHED_BY
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
    from orchestration.batches.register import waiting_releases  # with Spark's client: to load definitions needs none

    with session("pipeline") as connection:
        unlanded = pending(bootstrap=settings().bootstrap, connection=connection, topics=TOPICS)
        released = len(waiting_releases(connection))
    total = sum(unlanded.values()) + released
    if total == 0:
        return SkipReason("bronze holds every event of the log, and nothing released waits")
    if build := _build(context.instance):
        return SkipReason(f"{total} events wait; run {build} will take them or the next tick will")
    tags = {
        LAUNCHED_BY: "sensor",
        "outlay/unlanded_events": str(total - released),
        "outlay/released_events": str(released),
    }
    return SensorResult(run_requests=[RunRequest(tags=tags)])


@sensor(
    job=data_docs_job,
    minimum_interval_seconds=60,
    description="Asks for Data Docs when Great Expectations has found something since, whether or not it held.",
    default_status=DefaultSensorStatus.RUNNING if settings().auto_build else DefaultSensorStatus.STOPPED,
)
def unshown_results(context: SensorEvaluationContext) -> RunRequest | SkipReason:
    result = data_docs.newest(settings().home)
    if result is None:
        return SkipReason("no suite has run yet")
    if build := _build(context.instance):
        return SkipReason(f"run {build} may find more")
    return RunRequest(run_key=result, tags={LAUNCHED_BY: "sensor"})


def _build(instance: DagsterInstance) -> str | None:
    """The id of the run of the build job that waits or runs."""
    chosen = RunsFilter(job_name=build_job.name, statuses=_WAITING_OR_RUNNING)
    return next((record.dagster_run.run_id for record in instance.get_run_records(chosen, limit=1)), None)
