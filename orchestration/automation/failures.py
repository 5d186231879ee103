"""Mail when runs fail, and when they work again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dagster import (
    AssetCheckSeverity,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRecord,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from orchestration.automation.jobs import backfill_job, build_job, data_docs_job, land_job, maintenance_job
from outlay import mail
from outlay.run_tags import LAUNCHED_BY
from outlay.settings import settings

JOBS = (build_job.name, land_job.name, data_docs_job.name, maintenance_job.name, backfill_job.name, "__ASSET_JOB")
"""Whose runs are looked at; the last is what the Dagster UI runs for assets that somebody chose."""

REMINDED_AFTER = timedelta(days=1)
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
_LONGEST = 1_000  # characters of one error or check

Told = dict[str, str]
"""Job to when a mail was sent about it, in ISO form; only jobs that fail."""


def _wanted() -> bool:
    return bool(settings().smtp_url and settings().failure_mail_to)


@sensor(
    minimum_interval_seconds=60,
    description=(
        "Mails OUTLAY_FAILURE_MAIL_TO when a job has begun to fail, once a day while it does, and when it works again."
        " A mail that could not be sent is tried again with the next tick."
    ),
    default_status=DefaultSensorStatus.RUNNING if _wanted() else DefaultSensorStatus.STOPPED,
)
def failed_runs(context: SensorEvaluationContext) -> SkipReason:
    if not _wanted():
        return SkipReason("nobody is to be mailed: set OUTLAY_SMTP_URL and OUTLAY_FAILURE_MAIL_TO")
    before: Told = json.loads(context.cursor or "{}")
    now, after, news = datetime.now(UTC), dict(before), []
    for record in _newest(context.instance):
        job, run_id = record.dagster_run.job_name, record.dagster_run.run_id
        failed = record.dagster_run.status is DagsterRunStatus.FAILURE
        if failed and _is_due(before.get(job), now):
            after[job] = now.isoformat()
            news.append((f"{job} {'still fails' if job in before else 'failed'}", _failure(context.instance, record)))
        elif not failed and after.pop(job, None):
            news.append((f"{job} works again", f"Run {run_id} succeeded.\n{_link(run_id)}\n"))
    if not news:
        return SkipReason(f"nothing new; failing: {', '.join(sorted(before)) or 'nothing'}")
    subject = f"Outlay: {', '.join(title for title, _ in news)}"
    refused = mail.send(subject, "\n\n".join(text for _, text in news), to=settings().failure_mail_to)
    context.update_cursor(json.dumps(after))
    return SkipReason(f"mailed: {subject}" + (f"; the mail server refused {', '.join(refused)}" if refused else ""))


def _newest(instance: DagsterInstance) -> Iterator[RunRecord]:
    """The newest run of each job that has ended one way or the other."""
    for job in JOBS:
        yield from instance.get_run_records(RunsFilter(job_name=job, statuses=_ENDED), limit=1)


def _is_due(told: str | None, now: datetime) -> bool:
    return told is None or now - datetime.fromisoformat(told) >= REMINDED_AFTER


def _failure(instance: DagsterInstance, record: RunRecord) -> str:
    run = record.dagster_run
    started = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
    by = run.tags.get(LAUNCHED_BY, "somebody")
    lines = [f"Run {run.run_id} of the job {run.job_name}, started by {by} at {started:%Y-%m-%d %H:%M} UTC, failed."]
    lines += [f"\n{what}" for what in (*_checks(instance, run.run_id), *_steps(instance, run.run_id))]
    lines.append(f"\n{_link(run.run_id)}")
    lines.append("The next mail comes when the job works again, or in a day.\n")
    return "\n".join(lines)


def _checks(instance: DagsterInstance, run_id: str) -> Iterator[str]:
    """The checks that did not hold, and had to."""
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION):
        found: Any = entry.get_dagster_event().asset_check_evaluation_data
        if not found.passed and found.severity is AssetCheckSeverity.ERROR:
            name = f"{found.asset_key.to_user_string()}: {found.check_name}"
            yield _short(f"{name}: {found.description or 'did not hold'}")


def _steps(instance: DagsterInstance, run_id: str) -> Iterator[str]:
    """The steps that failed, with the error that they failed for."""
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE):
        event = entry.get_dagster_event()
        error = event.step_failure_data.error
        while error and error.cause:  # what Dagster wrapped
            error = error.cause
        yield _short(f"{event.step_key}: {error.message.strip() if error else 'failed'}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _link(run_id: str) -> str:
    return f"{settings().dagster_url}/runs/{run_id}"
