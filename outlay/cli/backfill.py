"""``outlay backfill``: make days of silver again from bronze, in one run of Dagster."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from functools import partial

import click

from ingestion.contracts import TOPICS
from outlay.builds import FIRST_DAY, DagsterUnavailable
from outlay.cli import Failure
from outlay.cli.running import refuse_failed, run
from outlay.run_tags import LAUNCHED_BY

JOB, ASSET, STEP = "backfill", "silver/backfilled_days", "silver__backfilled_days"
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
"""Tags by which Dagster makes several partitions in one run."""

DAY = click.DateTime(["%Y-%m-%d"])


@click.command(epilog="Example: outlay backfill 2026-11-01 2026-11-07 --preview")
@click.argument("first", type=DAY)
@click.argument("last", type=DAY, required=False)
@click.option("--topic", "topics", type=click.Choice(TOPICS), multiple=True, help="Of these topics alone; repeatable.")
@click.option("--preview", is_flag=True, help="Say what would differ, and replace nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and progress on standard error.")
def backfill(first: datetime, last: datetime | None, topics: tuple[str, ...], preview: bool, as_json: bool) -> None:
    """Make silver of the days FIRST to LAST again from bronze, by the rules and the code of today.

    Days are UTC, those on which Kafka took the events in; LAST is FIRST if it is left out. Where a row differs, the new
    batches take the place of the old ones, and the next build makes gold of them.
    """
    days = _days(first.date(), (last or first).date())
    config = {"topics": [topic for topic in TOPICS if not topics or topic in topics], "preview": preview}
    try:
        result = run(
            JOB,
            say=partial(click.echo, err=as_json),
            tags={LAUNCHED_BY: "cli", **dict(zip(RANGE, days, strict=True))},
            config={"ops": {STEP: {"config": config}}},
        )
    except DagsterUnavailable as error:
        raise Failure(str(error)) from error
    if as_json:
        click.echo(json.dumps(result, indent=2))
    refuse_failed(result, JOB)
    if not as_json:
        click.echo(_told(result["assets"][ASSET], preview=preview))


def _days(first: date, last: date) -> tuple[str, str]:
    today = datetime.now(UTC).date()
    if not FIRST_DAY <= first <= last <= today:
        raise Failure(f"expected a first and a last day from {FIRST_DAY} to {today} (UTC), came {first} to {last}")
    return first.isoformat(), last.isoformat()


def _told(figures: dict, *, preview: bool) -> str:
    read = f"{figures['batches_again']:,} batches, {figures['rows_read']:,} events"
    if not figures["rows_gone"] and not figures["rows_new"]:
        return f"{read}: every row is the same, and nothing was replaced"
    differ = f"{figures['rows_gone']:,} rows are gone and {figures['rows_new']:,} are new"
    if preview:
        return f"{figures['differences']}\n{read}: {differ} if this is run without --preview"
    return f"{figures['differences']}\n{read}: {differ}; the next build brings gold up to date (`outlay build`)"
