"""Publication: one PostgreSQL transaction a batch copies its Parquet in and names it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from ingestion.batches import number
from orchestration.batches import parquet
from orchestration.batches.register import NotAudited, Staged, staged

_CHUNK = 50_000
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
    for batch in batches:
        if not batch.passed:
            outcome = "failed its checks" if batch.passed is False else "was not checked"
            raise NotAudited(
                f"{batch.path} {outcome}: nothing of it was published. Look at the checks of silver/{topic}_batch, mend"
                " the cause, and build again"
            )
    for batch in batches:
        _publish(connection, lake, batch, run_id, published)
    return published


def _publish(
    connection: psycopg.Connection, lake: str, batch: Staged, run_id: str | None, published: Published
) -> None:
    with connection.transaction():
        if not connection.execute("DELETE FROM silver.staged WHERE path = %s", (batch.path,)).rowcount:
            raise NotAudited(f"{batch.path} was replaced or published by another run meanwhile: build again")
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
            "INSERT INTO silver.batch_files (file_id, batch_id) SELECT unnest(%s::bigint[]), %s",
            (batch.file_ids, batch_id),
        )
        copied = {
            table: _copy(connection, lake, f"{batch.path}/{part}", table, batch_id)
            for part, table in TABLES[batch.topic].items()
        }
        for table, rows in copied.items():
            if rows > _MANY:
                connection.execute(sql.SQL("ANALYZE silver.{}").format(sql.Identifier(table)))
            published.rows[table] += rows
    published.rows_read += batch.rows_read
    published.batch_ids.append(batch_id)


def _copy(connection: psycopg.Connection, lake: str, path: str, table: str, batch_id: int) -> int:
    """Copy the Parquet below `path` into a table, in bounded memory; returns the rows."""
    found = parquet.dataset(lake, path)
    if found is None:
        return 0
    columns = _columns(connection, table)
    count = 0
    statement = sql.SQL("COPY silver.{} (batch_id, {}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        for batch in found.to_batches(columns=columns, batch_size=_CHUNK):
            if batch.num_rows:
                copy.write(_csv(batch, batch_id))
                count += batch.num_rows
    return count


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    described = connection.execute(sql.SQL("SELECT * FROM silver.{} LIMIT 0").format(sql.Identifier(table))).description
    return [column.name for column in described or () if column.name not in _OWN]


def _csv(batch: pa.RecordBatch, batch_id: int) -> bytes:
    """As PostgreSQL reads it: text quoted, so that a null (nothing) and an empty text (two quotes) stay apart."""
    out = io.BytesIO()
    batch_ids = pa.repeat(pa.scalar(batch_id, pa.int64()), batch.num_rows)
    rows = pa.RecordBatch.from_arrays([batch_ids, *batch.columns], ["batch_id", *batch.schema.names])
    pyarrow.csv.write_csv(rows, out, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
    return out.getvalue()
