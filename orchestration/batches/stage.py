"""Spark's part: bronze files that no batch has used, and events released since, become Parquet below a new path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import psycopg
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from uuid6 import uuid7

from ingestion.landing import BronzeFile, verify
from orchestration import silver
from orchestration.batches import parquet, register
from orchestration.batches.currencies import known_currencies
from orchestration.batches.register import Release, Staged

LARGEST = 500_000
"""Bronze rows of a batch: what is to process beyond them becomes further batches, so that memory stays bounded."""

FILES_A_DAY = 4
"""Files of a batch's events of one day, at most, whatever the number of Spark's partitions: as many tasks write it."""

RELEASED = "transaction"
"""The topic whose events may be released from quarantine: the only one with rules that may be waived."""

_RELEASES = "topic_id string, partition int, offset bigint, rules array<string>"


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
    _forget(connection, lake, topic, replacing=False)
    return _stage_all(session, connection, lake, topic, _portions(connection, topic), run_id=run_id)


def restage(
    session: Callable[[], SparkSession],
    connection: psycopg.Connection,
    lake: str,
    topic: str,
    batch_ids: Sequence[int],
    *,
    run_id: str | None = None,
) -> list[Staged]:
    """Stage the files of these published batches once more, to replace them. They stay as they are meanwhile.

    Replaces what was staged by the last call for the topic and never published. Otherwise as `stage`.
    """
    _forget(connection, lake, topic, replacing=True)
    portions = _of_files(register.files_of_batches(connection, topic, batch_ids), _released(connection, topic))
    return _stage_all(session, connection, lake, topic, portions, run_id=run_id, replaces=batch_ids)


def _forget(connection: psycopg.Connection, lake: str, topic: str, *, replacing: bool) -> None:
    for path in register.forget(connection, topic, replacing=replacing):
        parquet.remove(lake, path)


@dataclass(frozen=True)
class _Portion:
    """What one batch is made of: bronze files whole, or the events in them that were released from quarantine."""

    files: list[BronzeFile]
    releases: list[Release]
    """Events of the files that may break rules."""
    only_released: bool = False


def _portions(connection: psycopg.Connection, topic: str) -> Iterator[_Portion]:
    released = _released(connection, topic)
    yield from _of_files(register.waiting(connection, topic), released)
    waiting = register.waiting_releases(connection) if released else []
    for first in range(0, len(waiting), LARGEST):
        some = waiting[first : first + LARGEST]
        yield _Portion(register.files_of(connection, topic, some), some, only_released=True)


def _released(connection: psycopg.Connection, topic: str) -> list[Release]:
    return register.releases(connection) if topic == RELEASED else []


def _of_files(files: list[BronzeFile], released: Sequence[Release]) -> Iterator[_Portion]:
    for portion in _files(files):
        yield _Portion(portion, [release for release in released if any(map(release.is_in, portion))])


def _files(files: list[BronzeFile]) -> Iterator[list[BronzeFile]]:
    portion: list[BronzeFile] = []
    for file in files:
        if portion and sum(f.rows for f in portion) + file.rows > LARGEST:
            yield portion
            portion = []
        portion.append(file)
    if portion:
        yield portion


def _stage_all(
    session: Callable[[], SparkSession],
    connection: psycopg.Connection,
    lake: str,
    topic: str,
    portions: Iterable[_Portion],
    *,
    run_id: str | None,
    replaces: Sequence[int] = (),
) -> list[Staged]:
    done = []
    for portion in portions:
        for file in portion.files:
            verify(lake, file)
        batch = Staged(
            path=f"silver/{topic}/batch={uuid7()}",
            topic=topic,
            file_ids=[] if portion.only_released else [file.file_id for file in portion.files],
            rows_read=len(portion.releases) if portion.only_released else sum(file.rows for file in portion.files),
            events=0,
            rows_quarantined=0,
            passed=None,
            replaces=list(replaces),
        )
        register.begin(connection, batch, run_id)
        done.append(_stage(session(), connection, lake, batch, portion))
        register.complete(connection, done[-1])
    return done


def _stage(
    spark: SparkSession,
    connection: psycopg.Connection,
    lake: str,
    batch: Staged,
    portion: _Portion,
) -> Staged:
    known = known_currencies(connection) if batch.topic == "transaction" else set()
    rows = silver.read(spark, batch.topic, [parquet.spark_url(lake, file.path) for file in portion.files])
    released = spark.createDataFrame(map(astuple, portion.releases), _RELEASES) if portion.releases else None
    if portion.only_released:
        rows = rows.join(F.broadcast(released), [*silver.PLACE], "left_semi")
    events, quarantined = write_parts(
        spark, rows, batch.topic, known, lake, batch.path, expected=batch.rows_read, releases=released
    )
    if events + quarantined != batch.rows_read:
        raise RowsLost(
            f"{batch.path}: the manifest names {batch.rows_read} rows, Spark read {events} good and {quarantined}"
            " quarantined ones; nothing was published. Look into Spark's log, then build again"
        )
    return Staged(**{**vars(batch), "events": events, "rows_quarantined": quarantined})


def write_parts(
    spark: SparkSession,
    rows: DataFrame,
    topic: str,
    known: Collection[str],
    lake: str,
    path: str,
    *,
    expected: int,
    releases: DataFrame | None = None,
) -> tuple[int, int]:
    """Write the Parquet of a batch below `path`; returns how many events are good, and how many are quarantined.

    Args:
        rows: of `orchestration.silver.read`.
        known: the ISO 4217 codes that are known.
        expected: the rows that there are; as many good ones, and nobody looks for bad ones.
        releases: as `orchestration.silver.judged` takes them.
    """
    judged = silver.judged(topic, silver.typed(topic, rows), known, releases)
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
    rows.coalesce(FILES_A_DAY).write.partitionBy("ingest_date").parquet(parquet.spark_url(lake, path))


def _distinct_places(lake: str, path: str) -> int:
    found = parquet.dataset(lake, path)
    if found is None:
        return 0
    place = [*silver.PLACE]
    return found.to_table(columns=place).group_by(place).aggregate([]).num_rows
