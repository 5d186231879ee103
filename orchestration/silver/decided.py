"""The acceptance rule within a batch, as window functions. `ingestion.acceptance` is the same rule in Python."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from orchestration.silver.read import PLACE

_THING = ("workspace_id", "entity", "entity_id")


def decided(events: DataFrame) -> DataFrame:
    """`events` with `decision`: ``duplicate``, ``stale`` or ``accepted``.

    Every readable event is looked at, the ones that break a rule too, as live does; what came in earlier batches is
    looked at by the warehouse's `int_transactions_current`.
    """
    same_event = Window.partitionBy(*_THING, "event_id").orderBy(*PLACE)
    before = Window.partitionBy(*_THING).orderBy(*PLACE).rowsBetween(Window.unboundedPreceding, -1)
    first_sight = F.row_number().over(same_event) == 1
    highest = F.max(F.when(F.col("_first_sight"), F.col("version"))).over(before)
    return (
        events.repartition(*_THING)  # serves both windows
        .withColumn("_first_sight", first_sight)
        .withColumn("_highest", highest)
        .withColumn(
            "decision",
            F.when(~F.col("_first_sight"), "duplicate")
            .when(F.col("version") <= F.col("_highest"), "stale")
            .otherwise("accepted"),
        )
        .drop("_first_sight", "_highest")
    )
