"""Bronze files to rows: one a logged event, in the contract's current shape, with its place in the log."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ingestion import contracts
from ingestion.landing.containers import events_schema

PLACE = ("topic_id", "partition", "offset")
"""The columns that say where in the log an event stands."""

_TOPIC_ID = r"/([^/]+)/ingest_date=[^/]*/[^/]+$"  # see ingestion.landing.naming.folder_of


def read(spark: SparkSession, topic: str, paths: Sequence[str]) -> DataFrame:
    """The events of the files at `paths`, and of no other, whatever schema each was written with.

    Avro resolves the writers' schemas to the topic's current one: fields that a writer did not know get their defaults,
    enum symbols that we do not know become ``unknown``. Columns: the event's, and `topic_id`, `partition`, `offset`,
    `logged_at` (the broker's timestamp) and `ingest_date` (its day, UTC).
    """
    schema = json.dumps(events_schema(contracts.schema(topic)))
    rows = spark.read.format("avro").option("avroSchema", schema).load(list(paths))
    return rows.select(
        F.translate(F.regexp_extract(F.col("_metadata.file_path"), _TOPIC_ID, 1), "-_", "+/").alias("topic_id"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.col("_timestamp").alias("logged_at"),
        F.to_date("_timestamp").alias("ingest_date"),
        "value.*",
    )
