"""Whether merged files hold what the files before them held: read again, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import psycopg
import pyarrow as pa
from psycopg import sql

from orchestration.batches.publish import TABLES
from orchestration.batches.reading import File
from orchestration.merging.days import Day
from orchestration.merging.errors import NotMerged


def verify(connection: psycopg.Connection, lake: str, day: Day, old: Sequence[File], new: Sequence[File]) -> int:
    """Compare every value of every row of both, in order, and count the rows of each batch; returns how many there are.

    Raises:
        NotMerged: they differ from each other, or from silver's tables in number.
        NotReadable: see `File.rows`.
        LakeUnavailable: the lake does not answer, or refuses.
    """
    rows = 0
    for part, table in TABLES[day.topic].items():
        found: Counter[int] = Counter()
        for before, after in _side_by_side(_rows(lake, old, part), _rows(lake, new, part)):
            if not _same(before, after):
                raise NotMerged(day, f"its {part} came out differently; see to the disk, and merge again")
            found.update(before["batch_id"].to_pylist())
        expected = _published(connection, table, day.batch_ids)
        wrong = sorted(batch_id for batch_id in found | expected if found[batch_id] != expected[batch_id])
        if wrong:
            raise NotMerged(
                day,
                f"batch {wrong[0]} has {expected[wrong[0]]} rows in silver.{table}, and {found[wrong[0]]} in its"
                f" {part} below {day.paths[day.batch_ids.index(wrong[0])]}: put the files back from a backup, or make"
                " silver again from bronze",
            )
        rows += found.total()
    return rows


def _rows(lake: str, files: Sequence[File], part: str) -> Iterator[pa.RecordBatch]:
    return (batch for file in files if file.part == part for batch in file.rows(lake))


def _published(connection: psycopg.Connection, table: str, batch_ids: list[int]) -> Counter[int]:
    """How many rows of each batch the table has."""
    statement = "SELECT batch_id, count(*) FROM silver.{} WHERE batch_id = ANY(%s) GROUP BY batch_id"
    return Counter(dict(connection.execute(sql.SQL(statement).format(sql.Identifier(table)), (batch_ids,)).fetchall()))


Pair = tuple[pa.RecordBatch | None, pa.RecordBatch | None]


def _side_by_side(left: Iterable[pa.RecordBatch], right: Iterable[pa.RecordBatch]) -> Iterator[Pair]:
    """As many rows of the one as of the other at a time, however each is cut; None where one has ended."""
    lefts, rights = (filter(lambda batch: batch.num_rows, each) for each in (left, right))
    one, other = next(lefts, None), next(rights, None)
    while one is not None and other is not None:
        count = min(one.num_rows, other.num_rows)
        yield one.slice(0, count), other.slice(0, count)
        one = one.slice(count) if one.num_rows > count else next(lefts, None)
        other = other.slice(count) if other.num_rows > count else next(rights, None)
    if one is not None or other is not None:
        yield one, other


def _same(one: pa.RecordBatch | None, other: pa.RecordBatch | None) -> bool:
    return one is not None and other is not None and _comparable(one).equals(_comparable(other))


def _comparable(rows: pa.RecordBatch) -> pa.RecordBatch:
    """With the bits of floating numbers instead of them: not a number is not equal to itself."""
    columns = {
        name: column.view(pa.int64()) if column.type == pa.float64() else column
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    }
    return pa.RecordBatch.from_pydict(columns)
