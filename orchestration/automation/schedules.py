"""Builds by the clock."""

from dagster import DefaultScheduleStatus, RunRequest, ScheduleEvaluationContext, schedule

from orchestration.automation.jobs import build_job
from outlay.settings import settings


@schedule(
    job=build_job,
    cron_schedule="0 * * * *",
    execution_timezone="UTC",
    description="Every hour on the hour: a build, so that gold is checked against live even when nothing new came.",
    default_status=DefaultScheduleStatus.RUNNING if settings().auto_build else DefaultScheduleStatus.STOPPED,
)
def build_hourly(context: ScheduleEvaluationContext) -> RunRequest:
    return RunRequest(run_key=context.scheduled_execution_time.isoformat(), tags={"outlay/launched_by": "schedule"})
