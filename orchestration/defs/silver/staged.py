"""The next batch of each topic, as Parquet that nobody reads before its checks have passed."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetSpec, MaterializeResult, multi_asset

from ingestion.contracts import TOPICS
from orchestration import expectations, figures, pools
from orchestration.retries import retried
from outlay.db import session
from outlay.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from orchestration.batches import Staged
    from orchestration.spark import SparkResource

_USES = {"transaction": [["reference", "currencies"]]}
_DOES = {"transaction": "typed, judged by the rules, decided by the acceptance rule and split into lines"}


def _spec(topic: str) -> AssetSpec:
    does = _DOES.get(topic, "typed, judged by the rules and decided by the acceptance rule")
    return AssetSpec(
        ["silver", f"{topic}_batch"],
        deps=[["bronze", topic], *_USES.get(topic, [])],
        description=(
            f"The events of bronze/{topic} that no batch has used yet: {does}. Parquet in the lake, visible to nobody"
            " until it is published; without new events, or events released from quarantine, there is no batch."
        ),
        group_name="silver",
        kinds={"spark", "parquet"},
        owners=["team:data"],
        tags={"outlay/layer": "silver"},
    )


@multi_asset(
    name="silver_batches",
    specs=[_spec(topic) for topic in TOPICS],
    can_subset=True,
    required_resource_keys={"spark"},
    pool=pools.SILVER,
    description="Spark turns the bronze files that no batch has used into Parquet. Without any, Spark is not started.",
)
def silver_batches(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
    from orchestration.batches import stage  # Spark's client: only a run needs it

    spark = context.resources.spark
    chosen = {key.path[-1].removesuffix("_batch") for key in context.selected_asset_keys}
    if context.retry_number:
        spark.close()  # its server may be another by now
    with retried(), session("pipeline", autocommit=True) as connection:
        for topic in reversed(TOPICS):  # users last: a landing beside this run lands them before what names them
            if topic not in chosen:
                continue
            began = time.monotonic()
            batches = stage(starting(spark), connection, settings().lake, topic, run_id=context.run_id)
            yield MaterializeResult(
                asset_key=["silver", f"{topic}_batch"], metadata=_metadata(batches, time.monotonic() - began)
            )


def starting(spark: "SparkResource") -> "Callable[[], SparkSession]":
    """Gives the session, and begins to load what the checks need: they come next, and Spark does the work meanwhile."""

    def started() -> "SparkSession":
        session = spark.spark_session
        expectations.preload()
        return session

    return started


def _metadata(batches: "list[Staged]", seconds: float) -> dict:
    return figures.metadata(
        rows_read=sum(batch.rows_read for batch in batches),
        rows_written=sum(batch.events for batch in batches),
        rows_quarantined=sum(batch.rows_quarantined for batch in batches),
        files=sum(len(batch.file_ids) for batch in batches),
        paths="\n".join(batch.path for batch in batches),
        seconds=seconds,
    )
