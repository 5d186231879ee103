"""What silver knows of its batches: bronze files that wait, batches that are staged, and their audits (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row

from ingestion.landing import BronzeFile


class NotAudited(RuntimeError):
    """A staged batch did not pass its audit, or was never audited: nothing of it may be published."""


@dataclass(frozen=True)
class Release:
    """An event that may break `rules`, by its place in the log."""

    topic_id: str
    partition: int
    offset: int
    rules: list[str]

    def is_in(self, file: BronzeFile) -> bool:
        same = (self.topic_id, self.partition) == (file.topic_id, file.partition)
        return same and file.first_offset <= self.offset <= file.last_offset


@dataclass(frozen=True)
class Staged:
    """A batch whose Parquet is complete below `path` (of the lake's root), and which nobody has published yet.

    `file_ids` are the bronze files that it processes: none, when it is of events that were released. `rows_read` counts
    bronze rows, `events` those that broke no rule, `rows_quarantined` the others. `replaces` are the published batches
    in whose place it comes, together with the others that name them: none, when it is of what no batch has used.
    """

    path: str
    topic: str
    file_ids: list[int]
    rows_read: int
    events: int
    rows_quarantined: int
    passed: bool | None
    replaces: list[int] = field(default_factory=list)


def waiting(connection: psycopg.Connection, topic: str) -> list[BronzeFile]:
    """The files of events that no published batch holds, in the order they landed."""
    processed = "EXISTS (SELECT FROM silver.batch_files AS b WHERE b.file_id = f.file_id)"
    return _files(connection, f"topic = %s AND NOT {processed}", topic)


def files_of_batches(connection: psycopg.Connection, topic: str, batch_ids: Sequence[int]) -> list[BronzeFile]:
    """The files that these batches have processed, in the order they landed."""
    theirs = "EXISTS (SELECT FROM silver.batch_files AS b WHERE b.file_id = f.file_id AND b.batch_id = ANY(%s))"
    return _files(connection, f"topic = %s AND {theirs}", topic, list(batch_ids))


def files_of(connection: psycopg.Connection, topic: str, releases: Sequence[Release]) -> list[BronzeFile]:
    """The files that hold the released events, in the order they landed."""
    places = [[getattr(release, name) for release in releases] for name in ("topic_id", "partition", "offset")]
    return _files(
        connection,
        "topic = %s AND EXISTS (SELECT FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS r (topic_id, partition, at)"
        " WHERE (r.topic_id, r.partition) = (f.topic_id, f.partition) AND r.at BETWEEN first_offset AND last_offset)",
        topic,
        *places,
    )


def _files(connection: psycopg.Connection, where: LiteralString, *parameters: Any) -> list[BronzeFile]:
    with connection.cursor(row_factory=class_row(BronzeFile)) as cursor:
        return cursor.execute(
            "SELECT topic, topic_id, partition, first_offset, last_offset, kind, schema_id, ingest_date, path, rows,"  # noqa: S608
            f" bytes, sha256, file_id FROM bronze.files AS f WHERE kind = 'events' AND {where} ORDER BY file_id",
            parameters,
        ).fetchall()


def releases(connection: psycopg.Connection) -> list[Release]:
    """Every release, applied or not."""
    return _releases(connection, "")


def waiting_releases(connection: psycopg.Connection) -> list[Release]:
    """Those of events that were set aside for these rules and no other, and that no batch has published yet."""
    held = 'q.topic_id = r.topic_id AND q.partition = r.partition AND q."offset" = r."offset"'
    return _releases(
        connection,
        f"WHERE EXISTS (SELECT FROM silver.quarantine_states AS q WHERE {held} AND q.released_in_batch IS NULL)"  # noqa: S608
        f" AND NOT EXISTS (SELECT FROM silver.quarantine AS q WHERE {held} AND q.rule <> ALL (r.rules))",
    )


def _releases(connection: psycopg.Connection, where: LiteralString) -> list[Release]:
    with connection.cursor(row_factory=class_row(Release)) as cursor:
        return cursor.execute(
            f'SELECT topic_id, partition, "offset", rules FROM silver.releases AS r {where} ORDER BY 1, 2, 3'  # noqa: S608
        ).fetchall()


def begin(connection: psycopg.Connection, batch: Staged, run_id: str | None) -> None:
    """Note that Parquet is about to be written, so that what a crash leaves behind is known."""
    connection.execute(
        "INSERT INTO silver.staged (path, topic, file_ids, rows_read, run_id, replaces)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (batch.path, batch.topic, batch.file_ids, batch.rows_read, run_id, batch.replaces),
    )


def complete(connection: psycopg.Connection, batch: Staged) -> None:
    connection.execute(
        "UPDATE silver.staged SET events = %s, rows_quarantined = %s WHERE path = %s",
        (batch.events, batch.rows_quarantined, batch.path),
    )


def staged(connection: psycopg.Connection, topic: str, *, replacing: bool = False) -> list[Staged]:
    """The complete batches that wait for their audit or publication, in the order of their events: those of what no
    batch has used, or those that are to replace others.
    """
    with connection.cursor(row_factory=class_row(Staged)) as cursor:
        return cursor.execute(
            "SELECT path, topic, file_ids, rows_read, events, rows_quarantined, passed, replaces FROM silver.staged"
            " WHERE topic = %s AND events IS NOT NULL AND (replaces <> '{}') = %s ORDER BY staged_at, path",
            (topic, replacing),
        ).fetchall()


def forget(connection: psycopg.Connection, topic: str, *, replacing: bool = False) -> list[str]:
    """Drop what was staged for a topic and never published, of the same two kinds; returns the paths of its Parquet."""
    rows = connection.execute(
        "DELETE FROM silver.staged WHERE topic = %s AND (replaces <> '{}') = %s RETURNING path", (topic, replacing)
    )
    return [path for (path,) in rows.fetchall()]


def record_audit(connection: psycopg.Connection, batch: Staged, *, passed: bool) -> None:
    """Keep the outcome of a batch's audit. `publish` refuses a batch without a good one."""
    connection.execute("UPDATE silver.staged SET passed = %s WHERE path = %s", (passed, batch.path))
