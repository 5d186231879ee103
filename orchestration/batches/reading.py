"""Reading the Parquet of published batches: the one way, for whoever reads it.

The manifest, ``silver.batches``, says below which path each batch lies: by itself at first, and with the others of its
day once they are merged (`orchestration.merging`). A reader asks `folders` once, so that it sees one state of the
manifest, and `rows` of these gives the same rows in the same order before, during and after a merge: by ingest date,
then by batch, then as Spark wrote them, each with the number of its batch. Rows of a merged path whose batch the
manifest does not name there do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg.rows import class_row

from ingestion.landing import store

ROWS = 10_000
"""Rows of a `RecordBatch` at most."""


class NotReadable(RuntimeError):
    """Parquet that the manifest names is not there, or cannot be read."""


@dataclass(frozen=True)
class Folder:
    """A path below the lake's root, and the batches whose rows are there, in their order."""

    path: str
    batch_ids: Sequence[int]


@dataclass(frozen=True)
class File:
    """A Parquet file of published batches. `path` is below the lake's root, `part` ``events``, ``lines`` or
    ``quarantine``.
    """

    path: str
    bytes: int
    part: str
    ingest_date: date
    batch_ids: Sequence[int]

    def rows(self, lake: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """`batch_id`, the columns of the file, and `ingest_date`; or those of them that are asked for.

        Raises:
            NotReadable: it is not there, is no whole Parquet file, or has a page with another checksum than it says.
            LakeUnavailable: the lake does not answer, or refuses.
        """
        try:
            with store.reader(lake, self.path) as opened:
                yield from self._rows(opened, columns)
        except FileNotFoundError:
            raise NotReadable(f"{store.shown(lake)}/{self.path} is not there. {_ADVICE}") from None

    def _rows(self, opened: BinaryIO, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        try:
            file = pq.ParquetFile(opened, page_checksum_verification=True)
            merged = "batch_id" in file.schema_arrow.names
            wanted = None if columns is None else _stored(columns, merged)
            for found in file.iter_batches(ROWS, columns=wanted):
                whole = self._completed(found, merged)
                yield whole if columns is None else whole.select(list(columns))
        except (pa.ArrowInvalid, OSError) as error:
            if getattr(error, "errno", None) is not None:  # the lake's, not Arrow's
                raise
            raise NotReadable(f"{self.path} cannot be read as Parquet: {error}. {_ADVICE}") from error

    def _completed(self, found: pa.RecordBatch, merged: bool) -> pa.RecordBatch:
        """With the columns that the file's place says, and without rows of batches that the manifest does not name."""
        columns = dict(zip(found.schema.names, found.columns, strict=True))
        if not merged:
            (only,) = self.batch_ids
            columns = {"batch_id": pa.repeat(pa.scalar(only, pa.int64()), found.num_rows), **columns}
        columns["ingest_date"] = pa.repeat(pa.scalar(self.ingest_date, pa.date32()), found.num_rows)
        whole = pa.RecordBatch.from_pydict(columns)
        if not merged:
            return whole
        named = pc.is_in(whole["batch_id"], value_set=pa.array(self.batch_ids, pa.int64()))
        return whole if pc.all(named).as_py() else whole.filter(named)


_ADVICE = (
    "A list of folders holds for some hours, until merged ones are removed: ask for it anew. If it is new, put the file"
    " back from a backup, or make silver again from bronze"
)


def folders(connection: psycopg.Connection, topic: str) -> list[Folder]:
    """Where the Parquet of a topic's published batches is: each path once, in the order of the batches.

    One statement, so one state of the manifest. Who reads several topics as of the same moment asks for them in one
    transaction that is ``REPEATABLE READ``.
    """
    with connection.cursor(row_factory=class_row(Folder)) as cursor:
        return cursor.execute(
            "SELECT path, array_agg(batch_id ORDER BY batch_id) AS batch_ids FROM silver.batches WHERE topic = %s"
            " GROUP BY path ORDER BY min(batch_id)",
            (topic,),
        ).fetchall()


def files(lake: str, of: Iterable[Folder]) -> list[File]:
    """The Parquet files in the folders, by part, in the order of their rows.

    Raises:
        NotReadable: one of the folders is empty or missing.
        LakeUnavailable: the lake does not answer, or refuses.
    """
    found = []
    for place, folder in enumerate(of):
        listed = [(path, size) for path, size in store.listing(lake, folder.path).items() if path.endswith(".parquet")]
        if not listed:
            raise NotReadable(f"{store.shown(lake)}/{folder.path} holds no Parquet. {_ADVICE}")
        for path, size in listed:
            part, day, _ = path.removeprefix(f"{folder.path}/").split("/")
            ingested = date.fromisoformat(day.removeprefix("ingest_date="))
            found.append((part, ingested, place, path, File(path, size, part, ingested, folder.batch_ids)))
    return [file for *_, file in sorted(found, key=lambda each: each[:-1])]


def rows(lake: str, of: Iterable[Folder], part: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a part of the folders' batches, a few thousand at a time.

    Columns are those of the release that wrote a batch: where releases differ, so do the schemas of what is yielded.

    Args:
        part: ``events``, ``lines`` (of transactions) or ``quarantine``.
        columns: some of `batch_id`, the columns of that part, and `ingest_date`; all if None.

    Raises what `files` and `File.rows` raise.
    """
    for file in files(lake, of):
        if file.part == part:
            yield from file.rows(lake, columns)


def _stored(columns: Sequence[str], merged: bool) -> list[str]:
    """Those of the columns that the file itself holds, and what tells whose a row is."""
    own = [name for name in columns if name not in ("batch_id", "ingest_date")]
    return ["batch_id", *own] if merged else own
