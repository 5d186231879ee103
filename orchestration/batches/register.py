"""What silver knows of its batches: bronze files that wait, batches that are staged, and their audits (PostgreSQL)."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from ingestion.landing import BronzeFile


class NotAudited(RuntimeError):
    """A staged batch did not pass its audit, or was never audited: nothing of it may be published."""


@dataclass(frozen=True)
class Staged:
    """A batch whose Parquet is complete below `path` (of the lake's root), and which nobody has published yet.

    `rows_read` counts bronze rows, `events` those that broke no rule, `rows_quarantined` the others.
    """

    path: str
    topic: str
    file_ids: list[int]
    rows_read: int
    events: int
    rows_quarantined: int
    passed: bool | None


def waiting(connection: psycopg.Connection, topic: str) -> list[BronzeFile]:
    """The files of events that no published batch holds, in the order they landed."""
    with connection.cursor(row_factory=class_row(BronzeFile)) as cursor:
        return cursor.execute(
            "SELECT topic, topic_id, partition, first_offset, last_offset, kind, schema_id, ingest_date, path, rows,"
            " bytes, sha256, file_id FROM bronze.files AS f WHERE topic = %s AND kind = 'events'"
            " AND NOT EXISTS (SELECT FROM silver.batch_files AS b WHERE b.file_id = f.file_id) ORDER BY file_id",
            (topic,),
        ).fetchall()


def begin(connection: psycopg.Connection, batch: Staged, run_id: str | None) -> None:
    """Note that Parquet is about to be written, so that what a crash leaves behind is known."""
    connection.execute(
        "INSERT INTO silver.staged (path, topic, file_ids, rows_read, run_id) VALUES (%s, %s, %s, %s, %s)",
        (batch.path, batch.topic, batch.file_ids, batch.rows_read, run_id),
    )


def complete(connection: psycopg.Connection, batch: Staged) -> None:
    connection.execute(
        "UPDATE silver.staged SET events = %s, rows_quarantined = %s WHERE path = %s",
        (batch.events, batch.rows_quarantined, batch.path),
    )


def staged(connection: psycopg.Connection, topic: str) -> list[Staged]:
    """The complete batches that wait for their audit or publication, in the order of their events."""
    with connection.cursor(row_factory=class_row(Staged)) as cursor:
        return cursor.execute(
            "SELECT path, topic, file_ids, rows_read, events, rows_quarantined, passed FROM silver.staged"
            " WHERE topic = %s AND events IS NOT NULL ORDER BY staged_at, path",
            (topic,),
        ).fetchall()


def forget(connection: psycopg.Connection, topic: str) -> list[str]:
    """Drop what was staged for a topic and never published; returns the paths of its Parquet."""
    rows = connection.execute("DELETE FROM silver.staged WHERE topic = %s RETURNING path", (topic,))
    return [path for (path,) in rows.fetchall()]


def record_audit(connection: psycopg.Connection, batch: Staged, *, passed: bool) -> None:
    """Keep the outcome of a batch's audit. `publish` refuses a batch without a good one."""
    connection.execute("UPDATE silver.staged SET passed = %s WHERE path = %s", (passed, batch.path))
