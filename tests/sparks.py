"""Spark in tests: rows of events as Spark would read them from bronze, and the acceptance vectors as one frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from ingestion import contracts
from orchestration.spark import SparkResource, spark_config
from outlay.settings import Settings
from tests.vectors.load import Vector

_PRIMITIVE = {
    "string": T.StringType(),
    "int": T.IntegerType(),
    "long": T.LongType(),
    "double": T.DoubleType(),
    "boolean": T.BooleanType(),
    "bytes": T.BinaryType(),
}
_LOGICAL = {
    "uuid": T.StringType(),
    "date": T.DateType(),
    "decimal": T.DecimalType(18, 4),
    "timestamp-micros": T.TimestampType(),
    "local-timestamp-micros": T.TimestampNTZType(),
}


def events_frame(spark: SparkSession, topic: str, events: Iterable[dict[str, Any]]) -> DataFrame:
    """What `orchestration.silver.read` gives for these events, one after the other in partition 0."""
    fields = contracts.schema(topic)["fields"]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (
            "log",
            0,
            offset,
            now,
            now.date(),
            *(_plain(event.get(field["name"], field.get("default"))) for field in fields),
        )
        for offset, event in enumerate(events)
    ]
    return spark.createDataFrame(rows, _struct(fields))


def vector_frame(spark: SparkSession, vectors: Iterable[Vector]) -> DataFrame:
    """Every vector as events of a workspace of its own, named after it."""
    rows = [
        (vector.name, "thing", str(event.entity_id), str(event.event_id), event.version, "log", 0, offset)
        for vector in vectors
        for offset, event in enumerate(vector.events)
    ]
    return spark.createDataFrame(
        rows,
        "workspace_id string, entity string, entity_id string, event_id string, version int,"
        " topic_id string, partition int, offset long",
    )


def _struct(fields: list[dict[str, Any]]) -> T.StructType:
    place = [
        T.StructField("topic_id", T.StringType()),
        T.StructField("partition", T.IntegerType()),
        T.StructField("offset", T.LongType()),
        T.StructField("logged_at", T.TimestampType()),
        T.StructField("ingest_date", T.DateType()),
    ]
    return T.StructType([*place, *_fields(fields)])


def _fields(fields: list[dict[str, Any]]) -> list[T.StructField]:
    return [T.StructField(field["name"], _type(field["type"])) for field in fields]


def _type(avro: Any) -> T.DataType:
    if isinstance(avro, list):
        return _type(next(branch for branch in avro if branch != "null"))
    if isinstance(avro, str):
        return _PRIMITIVE[avro]
    match avro["type"]:
        case "record":
            return T.StructType(_fields(avro["fields"]))
        case "enum":
            return T.StringType()
        case "array":
            return T.ArrayType(_type(avro["items"]))
        case "map":
            return T.MapType(T.StringType(), _type(avro["values"]))
    return _LOGICAL.get(avro.get("logicalType", "")) or _PRIMITIVE[avro["type"]]


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


@contextmanager
def session_on(stack: Settings) -> Iterator[SparkSession]:
    """A session on the stack's Spark, as silver has it."""
    resource = SparkResource(spark_config=spark_config(stack))
    yield resource.spark_session
    resource.close()
