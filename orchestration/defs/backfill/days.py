"""Days of silver, made again from bronze."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetMaterialization,
    AssetObservation,
    BackfillPolicy,
    Config,
    DailyPartitionsDefinition,
    Failure,
    MaterializeResult,
    asset,
)
from pydantic import Field

from ingestion.contracts import TOPICS
from orchestration import expectations, figures, pools
from orchestration.defs.silver.published import silver
from orchestration.defs.silver.staged import starting
from orchestration.expectations.data_docs import keep
from orchestration.retries import retried
from outlay.builds import FIRST_DAY
from outlay.db import session
from outlay.settings import settings

if TYPE_CHECKING:
    from orchestration.backfill import Made, Replaced

DAYS = DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)


class Backfill(Config):
    topics: list[str] = Field(default=list(TOPICS), description="Whose events are made again.")
    preview: bool = Field(default=False, description="Compare, and replace nothing.")


@asset(
    key=["silver", "backfilled_days"],
    deps=[["bronze", topic] for topic in TOPICS],
    check_specs=[
        AssetCheckSpec(
            "expectations",
            asset=["silver", "backfilled_days"],
            blocking=True,
            description="Great Expectations on the new Parquet: a topic whose batches fail one stays as it is.",
        )
    ],
    partitions_def=DAYS,
    backfill_policy=BackfillPolicy.single_run(),
    output_required=False,  # a preview makes nothing
    required_resource_keys={"spark"},
    pool=pools.SILVER,
    group_name="backfill",
    kinds={"spark", "parquet", "postgres"},
    owners=["team:data"],
    tags={"outlay/layer": "silver"},
)
def backfilled_days(
    context: AssetExecutionContext, config: Backfill
) -> Iterator[AssetCheckResult | AssetMaterialization | AssetObservation | MaterializeResult]:
    """Silver of these ingest dates (UTC) made again from bronze, by the rules and the code of today, and put in the
    place of what was published then, if a row differs. One run for days in a row; to be run by hand.
    """
    from orchestration.backfill import make_again  # with Spark's client: only a run needs it

    window, began, spark = context.partition_time_window, time.monotonic(), context.resources.spark
    first, last = window.start.date(), (window.end - timedelta(days=1)).date()
    if context.retry_number:
        spark.close()  # its server may be another by now
    done: list[Made] = []
    with retried(), session("pipeline", autocommit=True) as connection:
        for topic in _chosen(config.topics):
            made = make_again(
                starting(spark),
                connection,
                settings().lake,
                topic,
                first,
                last,
                preview=config.preview,
                run_id=context.run_id,
            )
            keep(settings().home, made.outcomes, run_id=context.run_id, log=context.log)
            done.append(made)
            if made.replaced and made.replaced.new:  # at once: what fails later leaves this
                yield from map(AssetMaterialization, sorted(silver.keys))
    outcomes = [outcome for made in done for outcome in made.outcomes]
    failures = [failure for outcome in outcomes for failure in outcome.failures()]
    yield AssetCheckResult(
        check_name="expectations",
        passed=not failures,
        description="\n".join(failures) or None,
        metadata=expectations.metadata(outcomes),
    )
    metadata = _metadata([made.replaced for made in done if made.replaced], time.monotonic() - began)
    if failures:
        raise Failure("\n".join(failures), metadata=metadata, allow_retries=False)
    if config.preview:
        yield AssetObservation(context.asset_key, metadata=metadata)
    else:
        yield MaterializeResult(metadata=metadata)


def _chosen(topics: list[str]) -> list[str]:
    """In the order of a build, users first: what the others name is there before them."""
    if unknown := sorted(set(topics) - set(TOPICS)):
        expected = f"expected topics of {', '.join(TOPICS)}, came {', '.join(unknown)}"
        raise Failure(f"{expected}: nothing was made", allow_retries=False)
    return [topic for topic in TOPICS if topic in topics]


def _metadata(done: "list[Replaced]", seconds: float) -> dict:
    changed = [(table, of) for replaced in done for table, of in replaced.changed.items()]
    lines = [f"{table}: {of.gone} gone, {of.new} new, such as {', '.join(of.places)}" for table, of in changed]
    return figures.metadata(
        rows_read=sum(replaced.rows_read for replaced in done),
        rows_written=sum(replaced.rows_written for replaced in done),
        seconds=seconds,
        rows_gone=sum(of.gone for _, of in changed),
        rows_new=sum(of.new for _, of in changed),
        batches_again=sum(len(replaced.old) for replaced in done),
        batches=[batch_id for replaced in done for batch_id in replaced.new],
        differences="\n".join(lines),
    )
