"""Parquet files written once more, as fewer: the same rows in the same order, each with the number of its batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.landing import store
from orchestration.batches.reading import File

MOST_ROWS, MOST_BYTES = 1_000_000, 128 << 20
"""Where a file ends; in its own, compressed, bytes, and at the end of a row group."""

GROUP_ROWS, GROUP_BYTES = 100_000, 64 << 20
"""Where a row group ends, which is what memory holds; in Arrow's bytes."""


def rewrite(lake: str, files: Sequence[File], path: str) -> None:
    """Write the rows of `files`, which are in the order of `reading.files`, below `path`.

    Raises:
        NotReadable: see `File.rows`.
        LakeUnavailable: the lake does not answer, or refuses.
    """
    for (part, day), theirs in groupby(files, key=lambda file: (file.part, file.ingest_date)):
        rows = (batch.drop_columns("ingest_date") for file in theirs for batch in file.rows(lake))
        _write(lake, f"{path}/{part}/ingest_date={day}", _row_groups(rows))


def _row_groups(rows: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows as tables of one schema each, in their order."""
    held: list[pa.RecordBatch] = []
    count = size = 0
    for batch in rows:
        full = count + batch.num_rows > GROUP_ROWS or size + batch.nbytes > GROUP_BYTES
        if held and (full or batch.schema != held[0].schema):
            yield pa.Table.from_batches(held)
            held, count, size = [], 0, 0
        held.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
    if held:
        yield pa.Table.from_batches(held)


def _write(lake: str, folder: str, groups: Iterator[pa.Table]) -> None:
    number, group = 0, next(groups, None)
    while group is not None:
        schema, rows = group.schema, 0
        with (
            store.writer(lake, f"{folder}/{number:05}.parquet") as out,
            pq.ParquetWriter(out, schema, compression="zstd", write_page_checksum=True) as file,
        ):
            while group is not None and group.schema == schema and (not rows or _has_room(rows, group, out.tell())):
                file.write_table(group, row_group_size=group.num_rows)
                rows += group.num_rows
                group = next(groups, None)
        number += 1


def _has_room(rows: int, group: pa.Table, written: int) -> bool:
    return rows + group.num_rows <= MOST_ROWS and written < MOST_BYTES
