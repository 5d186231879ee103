"""From Kafka into PostgreSQL by Spark Structured Streaming: `spark.py` starts it, in an environment that has Spark.

How its settings were chosen: 600,000 purchases on two cores that others used too, events a second after the first
batch. Batches of 200,000 gave 23,000 to 41,000, of 50,000 17,000, as each costs half a second beside its rows. A task
for each of the 12 partitions gave 11,000. Spark's JDBC writer (rewritten batches of 10,000 into an unlogged table, then
one merge) gave 13,000 to 24,000: it takes as much CPU as COPY, about 41 us an event with PostgreSQL's, but its merge is
on one core.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from functools import cache

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import col, expr

TOPIC = "transaction"
CORES = 2
KEY = ("workspace_id", "transaction_id")
FIELDS = (
    *KEY, "event_id", "version", "operation", "kind", "status", "account_id", "occurred_on", "amount", "currency",
    "merchant", "description", "category_id", "category_source", "category_confidence", "decided_by", "source",
    "occurred_at", "recorded_at",
)  # fmt: skip
PLACE = {"kafka_partition": "partition", "kafka_offset": "offset", "logged_at": "timestamp"}
COLUMNS = (*FIELDS, *PLACE)
_DONE = pa.schema([("rows", pa.int64())])


def main() -> None:
    """Write what comes, until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    spark = session()
    query = (
        decoded(messages(spark))
        .writeStream.foreachBatch(lambda batch, _: write(batch))
        .option("checkpointLocation", os.environ["BENCH_FOLDER"] + "/checkpoint")
        .start()
    )
    while not ended.is_set():
        query.awaitTermination(1)  # raises what the query failed with
    query.stop()
    spark.stop()


def session() -> SparkSession:
    return (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.jars", os.environ["BENCH_JARS"])
        .config("spark.driver.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # Spark matches the error of an interrupted batch with a regular expression that recurses by its length
        .config("spark.driver.extraJavaOptions", "-XX:+UseParallelGC -Xss16m")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def messages(spark: SparkSession) -> DataFrame:
    """The topic, from where the checkpoint stands; the first time, from BENCH_START."""
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", os.environ["BENCH_KAFKA"])
        .option("subscribe", TOPIC)
        .option("startingOffsets", os.environ["BENCH_START"])
        .option("failOnDataLoss", "true")
        .option("kafka.isolation.level", "read_committed")
        .option("kafka.max.poll.records", "10000")
        .option("kafka.max.partition.fetch.bytes", str(4 << 20))
        .option("maxOffsetsPerTrigger", "200000")
        .load()
    )


def decoded(found: DataFrame) -> DataFrame:
    """Rows of peer.transactions."""
    written = json.loads(os.environ["BENCH_SCHEMA"])
    wanted = written | {"fields": [_plain(field) for field in written["fields"] if field["name"] in FIELDS]}
    event = from_avro(expr("substring(value, 6)"), json.dumps(written), {"avroSchema": json.dumps(wanted)})
    return found.select(event.alias("event"), *PLACE.values()).select(*map(_field, FIELDS), *map(_place, PLACE))


def _plain(field: dict) -> dict:
    """The field to read; moments as the microseconds that they are written as."""
    return field | {"type": "long"} if field["name"].endswith("_at") else field


def _field(name: str) -> Column:
    return col(f"event.{name}")


def _place(name: str) -> Column:
    return col(PLACE[name]).alias(name)


def write(batch: DataFrame) -> None:
    """Upsert a batch. As many tasks as cores, each a transaction of its own.

    All versions of a transaction are in one partition, and so in one task. Spark repeats a batch that was not written
    in full with the same messages, and writing them again changes nothing.
    """
    batch.coalesce(CORES).mapInArrow(_upsert, "rows long").write.format("noop").mode("append").save()


def _upsert(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    connection = _connection()
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy("COPY incoming FROM STDIN (FORMAT CSV)") as copy:
            for part in parts:
                copy.write(_csv(part))
        cursor.execute(_MERGE)
    yield pa.RecordBatch.from_pylist([{"rows": cursor.rowcount}], schema=_DONE)


def _csv(part: pa.RecordBatch) -> memoryview:
    """Null is an empty field, and an empty text is quoted: as PostgreSQL reads them."""
    sink = pa.BufferOutputStream()
    csv.write_csv(part, sink, csv.WriteOptions(include_header=False, quoting_style="needed"))
    return memoryview(sink.getvalue())


@cache
def _connection() -> psycopg.Connection:
    """Of this worker of Spark's, which ends when one of its tasks fails."""
    connection = psycopg.connect(os.environ["BENCH_DSN"], autocommit=True, application_name="bench-spark")
    connection.execute("CREATE TEMP TABLE incoming (LIKE peer.transactions) ON COMMIT DELETE ROWS")
    return connection


_MERGE = sql.SQL(
    "INSERT INTO peer.transactions AS held ({columns}) "
    "SELECT DISTINCT ON ({key}) {columns} FROM incoming ORDER BY {key}, kafka_offset DESC "
    "ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE held.kafka_offset < excluded.kafka_offset"
).format(
    columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
    key=sql.SQL(", ").join(map(sql.Identifier, KEY)),
    changes=sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in COLUMNS if name not in KEY
    ),
)


if __name__ == "__main__":
    from bench.live import spark_sink  # Spark's workers find functions by their module, and this one is `__main__`

    spark_sink.main()
