"""What the last builds took and wrote, layer by layer, from what Dagster keeps of their runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    MetadataValue,
    RunRecord,
    RunsFilter,
    TableRecord,
)

from orchestration.figures.chart import Bars, chart

SHOWN = 20
"""Builds: the newest."""

LAYERS = ("bronze", "silver", "intermediate", "gold")
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]


@dataclass(frozen=True)
class Build:
    """A build that has ended; `rows` are those that it wrote, by layer."""

    run_id: str
    started: datetime
    seconds: float
    succeeded: bool
    rows: dict[str, int]


def last_builds(instance: DagsterInstance, job: str, *, count: int = SHOWN) -> list[Build]:
    """The newest whole runs of `job` that have ended, the oldest first.

    Only the materialisations of those runs are read, however many there were before.
    """
    records = instance.get_run_records(RunsFilter(job_name=job, statuses=_ENDED), limit=count)
    return [_build(instance, record) for record in reversed(records) if record.start_time and record.end_time]


def _build(instance: DagsterInstance, record: RunRecord) -> Build:
    run, rows = record.dagster_run, Counter(dict.fromkeys(LAYERS, 0))
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.get_dagster_event().step_materialization_data.materialization
        layer, name = made.asset_key.path[0], made.asset_key.path[-1]
        written = made.metadata.get("rows_written")
        if layer in LAYERS and written is not None and not name.endswith("_batch"):  # its rows are the tables' again
            rows[layer] += int(written.value)
    return Build(
        run_id=run.run_id,
        started=datetime.fromtimestamp(record.start_time, UTC),
        seconds=record.end_time - record.start_time,
        succeeded=run.status is DagsterRunStatus.SUCCESS,
        rows=dict(rows),
    )


def shown(builds: Sequence[Build]) -> dict[str, Any]:
    """Metadata of some builds, at least one: a chart, a table, and the figures of the newest."""
    newest = builds[-1]
    bars = [Bars("seconds", [build.seconds for build in builds])]
    bars += [Bars(f"rows written to {layer}", [build.rows[layer] for build in builds]) for layer in LAYERS]
    records = [
        TableRecord(
            {
                "started": f"{build.started:%Y-%m-%d %H:%M:%S}",
                "seconds": round(build.seconds, 1),
                **build.rows,
                "succeeded": build.succeeded,
                "run": build.run_id,
            }
        )
        for build in reversed(builds)
    ]
    return {
        "chart": MetadataValue.md(chart(bars, alt=f"Seconds and rows of the last {len(builds)} builds")),
        "builds": MetadataValue.table(records),
        "build_seconds": round(newest.seconds, 3),
        **{f"build_rows/{layer}": rows for layer, rows in newest.rows.items()},
    }
