"""Publication: one PostgreSQL transaction a batch copies its Parquet in and names it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from ingestion.batches import number
from orchestration.batches import parquet
from orchestration.batches.register import NotAudited, Staged, staged

T = TypeVar("T")

_CHUNK = 20_000
_MANY = 1_000  # rows after which the planner must hear of them: it would take a new batch for one row

TABLES = {
    "transaction": {"events": "transaction_events", "lines": "transaction_lines", "quarantine": "quarantine"},
    "user": {"events": "user_events", "quarantine": "quarantine"},
    "report": {"events": "report_events", "quarantine": "quarantine"},
    "reminder": {"events": "reminder_events", "quarantine": "quarantine"},
}
"""Which part of a topic's batch goes to which table of the schema `silver`."""

_OWN = {"batch_id", "quarantined_at"}  # columns that the batch's Parquet does not have


@dataclass
class Published:
    """What was published of a topic: rows by table of `silver`, and the batches' ids."""

    topic: str
    rows_read: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    batch_ids: list[int] = field(default_factory=list)


def publish(connection: psycopg.Connection, lake: str, topic: str, *, run_id: str | None = None) -> Published:
    """Publish every staged batch of `topic`, each in one transaction of `connection` (in autocommit mode).

    A batch either is in silver's tables with its row in ``silver.batches``, or nothing of it is anywhere: after a crash
    the next run does it again, and nothing is doubled.

    Raises:
        NotAudited: a staged batch has not passed its audit; none is published.
    """
    published = Published(topic, rows=dict.fromkeys(TABLES[topic].values(), 0))
    batches = staged(connection, topic)
    refuse_unaudited(batches)
    untold = dict(published.rows)
    for place, batch in enumerate(batches, 1):
        for table, rows in _publish(connection, lake, batch, run_id, published).items():
            untold[table] += rows
            if tell_planner(connection, table, untold[table], share=0.0 if place == len(batches) else 0.5):
                untold[table] = 0
    return published


def refuse_unaudited(batches: Sequence[Staged]) -> None:
    """Raise NotAudited unless each of the batches has passed its audit."""
    for batch in batches:
        if not batch.passed:
            outcome = "failed its checks" if batch.passed is False else "was not checked"
            raise NotAudited(
                f"{batch.path} {outcome}: nothing of it was published. Look at the checks of"
                f" silver/{batch.topic}_batch, mend the cause, and build again"
            )


def _publish(
    connection: psycopg.Connection, lake: str, batch: Staged, run_id: str | None, published: Published
) -> dict[str, int]:
    """Publish one batch, and add it to what is `published`; returns its rows by table."""
    with connection.transaction():
        if not connection.execute("DELETE FROM silver.staged WHERE path = %s", (batch.path,)).rowcount:
            raise NotAudited(f"{batch.path} was replaced or published by another run meanwhile: build again")
        batch_id = enter(connection, batch, run_id)
        copied = {
            table: copy(
                connection,
                lake,
                f"{batch.path}/{part}",
                sql.Identifier("silver", table),
                columns(connection, table),
                batch_id,
            )
            for part, table in TABLES[batch.topic].items()
        }
    for table, rows in copied.items():
        published.rows[table] += rows
    published.rows_read += batch.rows_read
    published.batch_ids.append(batch_id)
    return copied


def tell_planner(connection: psycopg.Connection, table: str, rows: int, *, share: float = 0.0) -> bool:
    """Let the planner hear of so many new rows of a table, if they are many, and more than that share of those that it
    knows of; says whether it heard.
    """
    known = "SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = %s::regclass"
    if rows <= _MANY or rows <= share * connection.execute(known, (f"silver.{table}",)).fetchone()[0]:
        return False
    connection.execute(sql.SQL("ANALYZE silver.{}").format(sql.Identifier(table)))
    return True


def enter(connection: psycopg.Connection, batch: Staged, run_id: str | None) -> int:
    """Name a staged batch and the files that it has processed, within the caller's transaction; returns its number."""
    batch_id = number(
        connection,
        topic=batch.topic,
        path=batch.path,
        rows_read=batch.rows_read,
        rows_published=batch.events,
        rows_quarantined=batch.rows_quarantined,
        run_id=run_id,
    )
    connection.execute(
        "INSERT INTO silver.batch_files (file_id, batch_id) SELECT unnest(%s::bigint[]), %s", (batch.file_ids, batch_id)
    )
    return batch_id


def copy(
    connection: psycopg.Connection,
    lake: str,
    path: str,
    into: sql.Identifier,
    names: Sequence[str],
    batch_id: int,
) -> int:
    """Copy columns of the Parquet below `path` into a table, in bounded memory; returns the rows."""
    found = parquet.dataset(lake, path)
    if found is None:
        return 0
    count = 0
    statement = sql.SQL("COPY {} (batch_id, {}) FROM STDIN (FORMAT csv)").format(
        into, sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with connection.cursor().copy(statement) as copying:
        for rows, text in _ahead(_csv(batch, batch_id) for batch in found.to_batches(columns=names, batch_size=_CHUNK)):
            copying.write(text)
            count += rows
    return count


def columns(connection: psycopg.Connection, table: str) -> list[str]:
    """The columns of a table of `silver` that a batch's Parquet has."""
    described = connection.execute(sql.SQL("SELECT * FROM silver.{} LIMIT 0").format(sql.Identifier(table))).description
    return [column.name for column in described or () if column.name not in _OWN]


def _ahead(made: Iterator[T]) -> Iterator[T]:
    """The same, with the next one in the making while one is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, made, None)
        while (one := coming.result()) is not None:
            coming = maker.submit(next, made, None)
            yield one


def _csv(batch: pa.RecordBatch, batch_id: int) -> tuple[int, bytes]:
    """How many rows, and they as PostgreSQL reads them: text quoted, so that a null (nothing) and an empty text (two
    quotes) stay apart.
    """
    out = io.BytesIO()
    batch_ids = pa.repeat(pa.scalar(batch_id, pa.int64()), batch.num_rows)
    rows = pa.RecordBatch.from_arrays([batch_ids, *batch.columns], ["batch_id", *batch.schema.names])
    pyarrow.csv.write_csv(rows, out, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
    return batch.num_rows, out.getvalue()
