"""Builds and maintenance by the clock."""

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, schedule

from orchestration.automation.jobs import build_job, maintenance_job
from outlay.run_tags import LAUNCHED_BY
from outlay.settings import settings

_STATUS = DefaultScheduleStatus.RUNNING if settings().auto_build else DefaultScheduleStatus.STOPPED


@schedule(
    job=build_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    description="Every hour on the hour: a build, so that gold is checked against live even when nothing new came.",
    default_status=_STATUS,
)
def build_hourly(context: ScheduleEvaluationContext) -> RunRequest:
    return _run(context)


@schedule(
    job=maintenance_job,
    cron_schedule="30 3 * * *",
    execution_timezone="UTC",
    description="At half past three at night: silver's Parquet of the days that are over is merged.",
    default_status=_STATUS,
)
def maintain_nightly(context: ScheduleEvaluationContext) -> RunRequest:
    return _run(context)


def _run(context: ScheduleEvaluationContext) -> RunRequest:
    return RunRequest(run_key=context.scheduled_execution_time.isoformat(), tags={LAUNCHED_BY: "schedule"})
