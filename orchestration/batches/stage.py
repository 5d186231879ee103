"""Spark's part: bronze files that no batch has used become Parquet below a new path of the lake."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import psycopg
from pyspark.sql import DataFrame, SparkSession
from uuid6 import uuid7

from ingestion.landing import BronzeFile, verify
from orchestration import silver
from orchestration.batches import parquet, register
from orchestration.batches.currencies import known_currencies
from orchestration.batches.register import Staged

LARGEST = 500_000
"""Bronze rows of a batch: what is to process beyond them becomes further batches, so that memory stays bounded."""


class RowsLost(RuntimeError):
    """Spark read another number of rows than the manifest names."""


def stage(
    session: Callable[[], SparkSession],
    connection: psycopg.Connection,
    lake: str,
    topic: str,
    *,
    run_id: str | None = None,
) -> list[Staged]:
    """Stage everything of `topic` that waits. Replaces what was staged before and never published.

    Without anything to do Spark is not touched. The connection must be in autocommit mode.

    Args:
        session: gives the Spark session, whose time zone is UTC.

    Raises:
        CorruptedFile: a bronze file is missing or damaged; nothing is staged from it.
        RowsLost: Spark read another number of rows than the manifest names.
    """
    for path in register.forget(connection, topic):
        parquet.remove(lake, path)
    done = []
    for files in _portions(register.waiting(connection, topic)):
        for file in files:
            verify(lake, file)
        batch = Staged(
            path=f"silver/{topic}/batch={uuid7()}",
            topic=topic,
            file_ids=[file.file_id for file in files],
            rows_read=sum(file.rows for file in files),
            events=0,
            rows_quarantined=0,
            passed=None,
        )
        register.begin(connection, batch, run_id)
        done.append(_stage(session(), connection, lake, batch, files))
        register.complete(connection, done[-1])
    return done


def _portions(files: list[BronzeFile]) -> Iterator[list[BronzeFile]]:
    portion: list[BronzeFile] = []
    for file in files:
        if portion and sum(f.rows for f in portion) + file.rows > LARGEST:
            yield portion
            portion = []
        portion.append(file)
    if portion:
        yield portion


def _stage(
    spark: SparkSession,
    connection: psycopg.Connection,
    lake: str,
    batch: Staged,
    files: list[BronzeFile],
) -> Staged:
    known = known_currencies(connection) if batch.topic == "transaction" else set()
    rows = silver.read(spark, batch.topic, [parquet.spark_url(lake, file.path) for file in files])
    events, quarantined = write_parts(spark, rows, batch.topic, known, lake, batch.path, expected=batch.rows_read)
    if events + quarantined != batch.rows_read:
        raise RowsLost(
            f"{batch.path}: the manifest names {batch.rows_read} rows, Spark read {events} good and {quarantined}"
            " quarantined ones; nothing was published. Look into Spark's log, then build again"
        )
    return Staged(**{**vars(batch), "events": events, "rows_quarantined": quarantined})


def write_parts(
    spark: SparkSession, rows: DataFrame, topic: str, known: Collection[str], lake: str, path: str, *, expected: int
) -> tuple[int, int]:
    """Write the Parquet of a batch below `path`; returns how many events are good, and how many are quarantined.

    Args:
        rows: of `orchestration.silver.read`.
        known: the ISO 4217 codes that are known.
        expected: the rows that there are; as many good ones, and nobody looks for bad ones.
    """
    judged = silver.judged(topic, silver.typed(topic, rows), known)
    _write(silver.valid(silver.decided(judged)), lake, f"{path}/events")
    events, quarantined = parquet.rows(lake, f"{path}/events"), 0
    if events != expected:
        _write(silver.quarantined(topic, judged), lake, f"{path}/quarantine")
        quarantined = _distinct_places(lake, f"{path}/quarantine")
    if topic == "transaction" and events:
        published = spark.read.parquet(parquet.spark_url(lake, f"{path}/events"))
        _write(silver.lines(published), lake, f"{path}/lines")
    return events, quarantined


def _write(rows: DataFrame, lake: str, path: str) -> None:
    """A few files a day, whatever the number of Spark's partitions."""
    rows.hint("rebalance", "ingest_date").write.partitionBy("ingest_date").parquet(parquet.spark_url(lake, path))


def _distinct_places(lake: str, path: str) -> int:
    found = parquet.dataset(lake, path)
    if found is None:
        return 0
    place = ["topic_id", "partition", "offset"]
    return found.to_table(columns=place).group_by(place).aggregate([]).num_rows
