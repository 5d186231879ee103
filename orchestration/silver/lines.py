"""The lines of transaction events."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_EVENT = ("workspace_id", "topic_id", "partition", "offset", "transaction_id", "ingest_date", "occurred_on", "currency")


def lines(events: DataFrame) -> DataFrame:
    """One row a line of each event. An event without lines gets one, number 1, with the event's amount and category.

    Lines given by the writer are numbered from 1 in its order, as in `live`.
    """
    whole = F.array(
        F.struct(
            F.col("transaction_id").alias("line_id"),
            F.col("category_id"),
            F.col("amount"),
            F.lit(None).cast("string").alias("note"),
        )
    )
    given = F.transform(
        "lines",
        lambda line: F.struct(*(line[name].alias(name) for name in ("line_id", "category_id", "amount", "note"))),
    )
    return events.select(
        *_EVENT,
        F.posexplode(F.when(F.size("lines") == 0, whole).otherwise(given)).alias("place", "line"),
    ).select(*_EVENT, (F.col("place") + 1).alias("line_no"), "line.*")
