"""The manifest: which bronze files exist, and how far each partition has landed. Kept in PostgreSQL's `bronze`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from ingestion import turns
from ingestion.landing.errors import Busy, Fenced
from ingestion.landing.naming import Place

_TURN = 0x6C616E64696E67  # "landing"
_PATIENCE = "10min"


@dataclass(frozen=True)
class BronzeFile:
    """A row of ``bronze.files``. `path` is below the lake's root, `ingest_date` in UTC, `sha256` hexadecimal."""

    topic: str
    topic_id: str
    partition: int
    first_offset: int
    last_offset: int
    kind: str
    schema_id: int | None
    ingest_date: date
    path: str
    rows: int
    bytes: int
    sha256: str
    file_id: int = 0

    @classmethod
    def of(cls, place: Place, schema_id: int | None, rows: int, size: int, sha256: str) -> BronzeFile:
        """The row of the file at `place`, which has `size` bytes."""
        return cls(**vars(place), schema_id=schema_id, path=place.path, rows=rows, bytes=size, sha256=sha256)


class Partition(NamedTuple):
    """A partition of a log; a topic that was created again has another `topic_id`."""

    topic: str
    topic_id: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic} partition {self.partition}"


def turn(connection: psycopg.Connection) -> AbstractContextManager[None]:
    """Hold the right to land: one landing at a time, the others wait. It ends with the connection at the latest.

    Raises:
        Busy: another landing has held it for ten minutes.
    """
    busy = Busy(
        "another landing has been running for 10 minutes: look at it in Dagster, end it if it hangs, land again"
    )
    return turns.turn(connection, _TURN, patience=_PATIENCE, busy=busy)


def offsets(connection: psycopg.Connection, topic: str, topic_id: str) -> dict[int, int]:
    """The next offset to land, by partition. Partitions that never landed anything are absent."""
    rows = connection.execute(
        "SELECT partition, next_offset FROM bronze.offsets WHERE topic = %s AND topic_id = %s", (topic, topic_id)
    )
    return dict(rows.fetchall())


def commit(
    connection: psycopg.Connection,
    written: Sequence[BronzeFile],
    *,
    topic: str,
    topic_id: str,
    partition: int,
    start: int,
    end: int,
) -> None:
    """Name the files and move the partition's offset from `start` to `end`, in one transaction.

    Raises:
        Fenced: the offset is not `start` any more.
    """
    with connection.transaction():
        name(connection, written)
        connection.execute(
            "INSERT INTO bronze.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, 0)"
            " ON CONFLICT DO NOTHING",
            (topic, topic_id, partition),
        )
        moved = connection.execute(
            "UPDATE bronze.offsets SET next_offset = %s, updated_at = clock_timestamp()"
            " WHERE topic = %s AND topic_id = %s AND partition = %s AND next_offset = %s",
            (end, topic, topic_id, partition, start),
        ).rowcount
        if moved != 1:
            raise Fenced(
                f"{topic} partition {partition}: expected bronze.offsets at {start}, but another landing has moved it;"
                " nothing was written twice, run the landing again"
            )


def name(connection: psycopg.Connection, written: Sequence[BronzeFile]) -> None:
    """Insert the rows of files. Their ids are given in this order."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO bronze.files (topic, topic_id, partition, first_offset, last_offset, kind, schema_id,"
            " ingest_date, path, rows, bytes, sha256) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(file.topic, file.topic_id, file.partition, file.first_offset, file.last_offset, file.kind),
                    *(file.schema_id, file.ingest_date, file.path, file.rows, file.bytes, file.sha256),
                )
                for file in written
            ],
        )


def files(connection: psycopg.Connection, topic: str, *, kind: str = "events") -> list[BronzeFile]:
    """Every file of a topic (``events``, or ``unreadable``), in the order they were landed."""
    return [file for file in all_files(connection, [topic]) if file.kind == kind]


def all_files(connection: psycopg.Connection, topics: Sequence[str] | None = None) -> list[BronzeFile]:
    """Every file, of these topics or of all, in the order they were landed."""
    with connection.cursor(row_factory=class_row(BronzeFile)) as cursor:
        return cursor.execute(
            "SELECT topic, topic_id, partition, first_offset, last_offset, kind, schema_id, ingest_date, path, rows,"
            " bytes, sha256, file_id FROM bronze.files WHERE %(topics)s::text[] IS NULL OR topic = ANY(%(topics)s)"
            " ORDER BY file_id",
            {"topics": None if topics is None else list(topics)},
        ).fetchall()


def all_offsets(connection: psycopg.Connection, topics: Sequence[str] | None = None) -> dict[Partition, int]:
    """The next offset to land, of every partition that landed anything, of these topics or of all."""
    rows = connection.execute(
        "SELECT topic, topic_id, partition, next_offset FROM bronze.offsets"
        " WHERE %(topics)s::text[] IS NULL OR topic = ANY(%(topics)s)",
        {"topics": None if topics is None else list(topics)},
    )
    return {Partition(topic, topic_id, partition): stands for topic, topic_id, partition, stands in rows}
