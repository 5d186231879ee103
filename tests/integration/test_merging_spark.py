"""What Spark wrote and a merge wrote anew: every reader sees the same, and silver can be made again from bronze."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce

import duckdb
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ingestion import events
from orchestration.batches import parquet, reading
from orchestration.merging import GRACE, merge
from tests.integration.bronze import Bronze, own_bronze
from tests.integration.silver_parquet import rows_of
from tests.landing import append, purchase
from tests.sparks import session_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TOPIC, PARTS = "transaction", ("events", "lines", "quarantine")
DAY = datetime(2026, 11, 20, tzinfo=UTC)
NIGHT = DAY + timedelta(days=2, hours=3)


@pytest.fixture(scope="module")
def spark(stack) -> Iterator[SparkSession]:
    with session_on(stack) as session:
        yield session


@pytest.fixture
def bronze(stack, spark, tmp_path) -> Iterator[Bronze]:
    """Five builds of two days: late versions, repeated events, lines, and events that break a rule."""
    with own_bronze(stack, str(tmp_path / "lake")) as here:
        here.know_currencies()
        here.skip(TOPIC)
        workspace = events.new_id()
        for number in range(5):
            line = events.line(Decimal("1.2300"), line_id=events.new_id(), category_id="food", note=None)
            first = purchase(workspace, tags=["a", "b"], lines=[line], category_confidence=0.25, note="")
            later = first | {"event_id": events.new_id(), "version": 2, "operation": "amended", "merchant": "Käse"}
            bad = [purchase(workspace, currency="XXQ")] if number % 2 else []
            append(stack, first, later, later, purchase(events.new_id(), amount=Decimal(number)), *bad)
            built(here, spark, DAY + timedelta(hours=10 * number))
        yield here


def built(bronze: Bronze, spark: SparkSession, at: datetime) -> None:
    """Land what is new, and publish silver of it, at this time."""
    ids = bronze.to_silver(spark, TOPIC)
    bronze.connection.execute("UPDATE silver.batches SET published_at = %s WHERE batch_id = ANY(%s)", (at, ids))


def contents(bronze: Bronze) -> dict[str, list[str]]:
    folders = reading.folders(bronze.connection, TOPIC)
    return {part: rows_of(bronze.lake, folders, part) for part in PARTS}


def by_spark(bronze: Bronze, spark: SparkSession, part: str) -> Counter:
    """Path by path: of several roots at once Spark takes no partition columns."""
    each = [
        spark.read.parquet(parquet.spark_url(bronze.lake, f"{folder.path}/{part}")).drop("batch_id")
        for folder in reading.folders(bronze.connection, TOPIC)
    ]
    return Counter(map(repr, reduce(DataFrame.unionByName, each).collect()))


def by_duckdb(bronze: Bronze, part: str) -> Counter:
    globs = [f"{bronze.lake}/{folder.path}/{part}/*/*.parquet" for folder in reading.folders(bronze.connection, TOPIC)]
    with duckdb.connect() as peer:
        peer.execute("SET TimeZone = 'UTC'")
        rows = peer.read_parquet(globs, hive_partitioning=True, union_by_name=True)
        own = sorted(set(rows.columns) - {"batch", "batch_id"})
        return Counter(map(repr, rows.select(*own).fetchall()))


def merged(bronze: Bronze, at: datetime = NIGHT) -> list[int]:
    """How many batches each merge was of."""
    done = merge(bronze.connection, bronze.lake, clock=lambda: at, topics=[TOPIC])
    assert done.refused == []
    return [day.batches for day in done.merged]


def test_every_reader_sees_the_same_whether_days_are_merged_or_not(bronze, spark):
    before = contents(bronze)
    assert {part: len(rows) for part, rows in before.items()} == {"events": 20, "lines": 20, "quarantine": 2}
    others = {part: (by_spark(bronze, spark, part), by_duckdb(bronze, part)) for part in ("events", "lines")}
    assert merged(bronze, NIGHT - timedelta(days=1)) == [3]
    for _ in range(2):  # while one day is merged and the other is not; when both are
        assert contents(bronze) == before
        assert {part: (by_spark(bronze, spark, part), by_duckdb(bronze, part)) for part in others} == others
        merged(bronze)
    assert len(reading.folders(bronze.connection, TOPIC)) == 2


def test_silver_that_is_made_again_from_bronze_after_a_merge_holds_the_same_events(bronze, spark):
    before = contents(bronze)
    places = places_of(bronze)
    assert merged(bronze) == [3, 2]
    merged(bronze, NIGHT + GRACE)
    gone = take_out(bronze, 2)
    kept = contents(bronze)
    assert len(kept["events"]) == len(before["events"]) - 2 * 4
    assert set(kept["events"]) < set(before["events"])
    built(bronze, spark, NIGHT)
    assert places_of(bronze) == places
    append(bronze.stack, purchase(events.new_id()))
    built(bronze, spark, NIGHT + timedelta(hours=1))
    again = contents(bronze)
    assert merged(bronze, NIGHT + timedelta(days=1)) == [2]
    assert contents(bronze) == again
    folders = reading.folders(bronze.connection, TOPIC)
    assert [len(folder.batch_ids) for folder in folders] == [1, 2, 2]
    assert not gone & {batch_id for folder in folders for batch_id in folder.batch_ids}


def test_a_bit_that_changed_in_what_spark_wrote_is_found(spark, tmp_path):
    rows = spark.range(1_000).withColumn("ingest_date", F.lit(DAY.date()))
    rows.coalesce(1).write.partitionBy("ingest_date").parquet(parquet.spark_url(str(tmp_path), "one/events"))
    folder = reading.Folder("one", [1])
    assert len(rows_of(str(tmp_path), [folder], "events")) == 1_000
    [file] = reading.files(str(tmp_path), [folder])
    whole = bytearray((tmp_path / file.path).read_bytes())
    column = pq.ParquetFile(tmp_path / file.path).metadata.row_group(0).column(0)
    whole[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    (tmp_path / file.path).write_bytes(whole)
    with pytest.raises(reading.NotReadable, match=f"{file.path}.*checksum"):
        rows_of(str(tmp_path), [folder], "events")


def places_of(bronze: Bronze) -> Counter:
    """Every event that a reader sees, by its place in the log, with its id; and what was set aside, with the rule."""
    wanted = {"events": ["topic_id", "partition", "offset", "event_id", "version", "amount", "lines"]}
    wanted["quarantine"] = ["topic_id", "partition", "offset", "event_id", "rule", "row"]
    folders = reading.folders(bronze.connection, TOPIC)
    return Counter(
        repr(row)
        for part, columns in wanted.items()
        for rows in reading.rows(bronze.lake, folders, part, columns)
        for row in rows.to_pylist()
    )


def take_out(bronze: Bronze, first: int) -> set[int]:
    """Take so many batches out of silver, the oldest first, as if they had never been made; their numbers."""
    with bronze.connection.transaction():
        rows = bronze.connection.execute("SELECT batch_id FROM silver.batches ORDER BY 1 LIMIT %s", (first,))
        ids = [batch_id for (batch_id,) in rows]
        for table in ("transaction_events", "transaction_lines", "quarantine", "batch_files", "batches"):
            bronze.connection.execute(f"DELETE FROM silver.{table} WHERE batch_id = ANY(%s)", (ids,))  # noqa: S608
    return set(ids)
