"""A lake and a manifest of a test's own, on the stack's log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from ingestion.landing import BronzeFile, Landed, land, manifest, read_file
from ingestion.landing.audit import Audit, audit
from ingestion.landing.log import Log
from ingestion.landing.rebuild import Rebuilt, rebuild
from orchestration.batches import publish, stage
from orchestration.expectations.silver import audit_staged
from outlay import money
from outlay.settings import Settings
from tests.integration.databases import fresh_database

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TOPIC = "reminder"  # of the four the one with the fewest events


@dataclass
class Bronze:
    stack: Settings
    connection: psycopg.Connection
    dsn: str
    lake: str

    def land(self, *, topics: Sequence[str] = (TOPIC,), **limits: int) -> list[Landed]:
        return land(
            bootstrap=self.stack.bootstrap,
            registry_url=self.stack.registry,
            lake=self.lake,
            connect=lambda: psycopg.connect(self.dsn),
            topics=topics,
            **limits,
        )

    def skip(self, topic: str) -> None:
        """Let landing begin where the topic ends now."""
        with Log(self.stack.bootstrap) as log:
            (found,) = log.topics([topic])
            for (_, partition), end in log.ends([found]).items():
                self.connection.execute(
                    "INSERT INTO bronze.offsets VALUES (%s, %s, %s, %s)", (topic, found.topic_id, partition, end)
                )

    def know_currencies(self) -> None:
        """As dbt's seed does."""
        self.connection.execute("CREATE TABLE reference.currencies (currency text)")
        self.connection.execute("INSERT INTO reference.currencies SELECT unnest(%s::text[])", ([*money.currencies()],))

    def to_silver(self, spark: SparkSession, topic: str) -> list[int]:
        """Land what is new, and publish silver of it; the numbers of the batches."""
        self.land(topics=[topic])
        for batch in stage(lambda: spark, self.connection, self.lake, topic):
            assert all(outcome.passed for outcome in audit_staged(self.connection, self.lake, batch))
        return publish(self.connection, self.lake, topic).batch_ids

    def audit(self, **chosen: Any) -> Audit:
        return audit(self.connection, self.lake, bootstrap=self.stack.bootstrap, **chosen)

    def rebuild(self, **chosen: Any) -> Rebuilt:
        return rebuild(self.connection, self.lake, **chosen)

    def forget(self) -> None:
        """Lose the manifest."""
        self.connection.execute("DELETE FROM bronze.files")
        self.connection.execute("DELETE FROM bronze.offsets")

    @property
    def folder(self) -> Path:
        return Path(self.lake)

    @property
    def files(self) -> list[BronzeFile]:
        return manifest.all_files(self.connection)

    def rows(self) -> tuple[list[tuple], list[tuple]]:
        """bronze.files and bronze.offsets without the times of the writing; a file's id is last."""
        named = self.connection.execute(
            "SELECT topic, topic_id, partition, first_offset, last_offset, kind, schema_id, ingest_date, path, rows,"
            " bytes, sha256, file_id FROM bronze.files ORDER BY path"
        ).fetchall()
        stands = self.connection.execute(
            "SELECT topic, topic_id, partition, next_offset FROM bronze.offsets ORDER BY 1, 2, 3"
        ).fetchall()
        return named, stands

    def stands(self, partition: int) -> int:
        """Where landing stands in a partition of the only topic that landed."""
        (found,) = (next_ for at, next_ in manifest.all_offsets(self.connection).items() if at.partition == partition)
        return found

    def read(self) -> Iterator[dict[str, Any]]:
        """Every row that readers see."""
        return (row for file in self.files for row in read_file(self.lake, file))

    def offsets_read(self) -> list[tuple[int, int]]:
        """(partition, offset) of each row that readers see."""
        return sorted((row["_partition"], row["_offset"]) for row in self.read())


@contextmanager
def own_bronze(stack: Settings, lake: str) -> Iterator[Bronze]:
    with fresh_database(stack.dsn("owner")) as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield Bronze(stack, connection, dsn, lake)
