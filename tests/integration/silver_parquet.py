"""Silver of a test's own, published without Spark: batches whose Parquet lies in the lake as Spark lays it out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from uuid6 import uuid7

from ingestion.contracts import TOPICS
from ingestion.landing import store
from orchestration.batches import publish, reading, record_audit
from orchestration.batches.publish import TABLES
from orchestration.batches.register import Staged, begin, complete
from outlay.db import session
from outlay.settings import Settings, settings
from tests.integration.databases import fresh_database

_ARROW = {
    "uuid": pa.string(),
    "text": pa.string(),
    "jsonb": pa.string(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "numeric": pa.decimal128(18, 4),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "timestamp without time zone": pa.timestamp("us"),
}
_ALWAYS = {"decision": "accepted", "kind": "expense", "partition": 0, "topic_id": "log", "version": 1}
_LINES = pa.list_(pa.struct({"line_id": pa.string(), "amount": pa.decimal128(18, 4)}))


@dataclass
class Silver:
    connection: psycopg.Connection
    lake: str
    offsets: Iterator[int] = field(default_factory=count)

    def publish(self, topic: str, at: datetime, rows: Mapping[date, int], quarantined: int = 0) -> int:
        """Publish a batch with so many events of each ingest date, at this time; returns its number.

        Args:
            quarantined: how many more broke a rule, of the first date.
        """
        events = sum(rows.values())
        path = f"silver/{topic}/batch={uuid7()}"
        batch = Staged(path, topic, [], events + quarantined, events, quarantined, None)
        begin(self.connection, batch, "a run")
        complete(self.connection, batch)
        for day, number in rows.items():
            offsets = [next(self.offsets) for _ in range(number)]
            for part, table in TABLES[topic].items():
                if part != "quarantine":
                    self._write(f"{path}/{part}", table, day, offsets, topic)
        if quarantined:
            offsets = [next(self.offsets) for _ in range(quarantined)]
            self._write(f"{path}/quarantine", "quarantine", next(iter(rows), at.date()), offsets, topic)
        record_audit(self.connection, batch, passed=True)
        (batch_id,) = publish(self.connection, self.lake, topic).batch_ids
        self.connection.execute("UPDATE silver.batches SET published_at = %s WHERE batch_id = %s", (at, batch_id))
        return batch_id

    def dump(self, at: datetime) -> None:
        """Give the batches of transactions, which are in silver's tables alone, Parquet, and this time."""
        batches = self.connection.execute("SELECT batch_id FROM silver.batches WHERE topic = 'transaction' ORDER BY 1")
        for (batch_id,) in batches.fetchall():
            path = f"silver/transaction/batch={uuid7()}"
            for part, table in TABLES["transaction"].items():
                names = self._schema(table).names
                columns = ", ".join(f'"{name}"' for name in names if name != "lines")
                found = self.connection.execute(
                    f"SELECT {columns} FROM silver.{table} WHERE batch_id = %s",  # noqa: S608
                    (batch_id,),
                ).fetchall()
                if found:
                    rows = [dict(zip(names, map(_plain, row), strict=False)) for row in found]
                    self._put(f"{path}/{part}", table, at.date(), rows)
            self.connection.execute(
                "UPDATE silver.batches SET path = %s, published_at = %s WHERE batch_id = %s", (path, at, batch_id)
            )

    def _write(self, folder: str, table: str, day: date, offsets: list[int], topic: str) -> None:
        schema = self._schema(table)
        rows = [{name: _value(name, schema.field(name).type, n) for name in schema.names} for n in offsets]
        if "topic" in schema.names:
            rows = [row | {"topic": topic} for row in rows]
        self._put(folder, table, day, rows)

    def _put(self, folder: str, table: str, day: date, rows: list[dict[str, Any]]) -> None:
        """As Spark leaves it."""
        name = f"part-00000-{uuid7()}.c000.snappy.parquet"
        with store.writer(self.lake, f"{folder}/ingest_date={day}/{name}") as out:
            pq.write_table(pa.Table.from_pylist(rows, self._schema(table)), out)
        store.put(self.lake, f"{folder}/_SUCCESS", b"")

    def _schema(self, table: str) -> pa.Schema:
        columns = self.connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'silver'"
            " AND table_name = %s AND column_name NOT IN ('batch_id', 'quarantined_at') ORDER BY ordinal_position",
            (table,),
        )
        fields = [(name, _ARROW[kind]) for name, kind in columns]
        return pa.schema([*fields, ("lines", _LINES)] if table == "transaction_events" else fields)

    def contents(self) -> dict[tuple[str, str], list[str]]:
        """Every row of every part of every topic as a reader gets them: all columns, in order."""
        return {
            (topic, part): rows_of(self.lake, reading.folders(self.connection, topic), part)
            for topic in TOPICS
            for part in TABLES[topic]
        }

    def manifest(self) -> list[tuple]:
        """silver.batches, without the paths."""
        return self.connection.execute(
            "SELECT batch_id, topic, rows_read, rows_published, rows_quarantined, run_id, published_at"
            " FROM silver.batches ORDER BY batch_id"
        ).fetchall()

    def paths(self) -> dict[int, str]:
        return dict(self.connection.execute("SELECT batch_id, path FROM silver.batches ORDER BY batch_id").fetchall())

    def tables(self) -> dict[str, tuple]:
        """How many rows each table of silver has, and a sum over all that they hold and where they lie."""
        names = sorted({table for tables in TABLES.values() for table in tables.values()})
        return {
            name: self.connection.execute(
                f"SELECT count(*), sum(hashtextextended(t::text || ctid::text, 0)) FROM silver.{name} AS t"  # noqa: S608
            ).fetchone()
            for name in names
        }

    def in_the_lake(self) -> set[str]:
        """The folders of batches that hold any file."""
        return {"/".join(path.split("/")[:3]) for path in store.listing(self.lake, "silver")}

    def files(self) -> int:
        """Parquet files that a reader opens."""
        return sum(len(reading.files(self.lake, reading.folders(self.connection, topic))) for topic in TOPICS)

    def noted(self) -> set[str]:
        return {path for (path,) in self.connection.execute("SELECT path FROM silver.removals")}


def rows_of(lake: str, folders: list[reading.Folder], part: str) -> list[str]:
    return [repr(row) for rows in reading.rows(lake, folders, part) for row in rows.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


def _value(name: str, kind: pa.DataType, n: int) -> Any:
    """Something of the column's type that is another for each `n`, where it may be."""
    if name in _ALWAYS:
        return _ALWAYS[name]
    if kind == _LINES:
        return [{"line_id": str(UUID(int=place)), "amount": Decimal(n)} for place in range(n % 3)]
    if name.endswith("_id") and not name.startswith(("category", "external", "correlation")):
        return str(UUID(int=n // 3 if name == "workspace_id" else n))
    if name in ("line_no", "offset"):
        return n
    if name in ("refund_of", "transfer_pair"):
        return None if n % 2 else str(UUID(int=n))
    if name in ("tags", "state", "row"):
        return json.dumps([name, n, None, "é\n"])
    if pa.types.is_string(kind):
        return f"{name} {n}" if n % 4 or name in _REQUIRED else None
    if pa.types.is_decimal(kind):
        return Decimal(n) / 8
    if pa.types.is_date(kind):
        return date(2026, 1, 1) + timedelta(days=n % 40)
    if pa.types.is_timestamp(kind):
        at = datetime(2026, 1, 1, microsecond=n, tzinfo=UTC)
        return at if kind.tz else at.replace(tzinfo=None)
    return [float("nan"), n / 7][n % 2] if pa.types.is_floating(kind) else n


_REQUIRED = {"operation", "status", "currency", "category_source", "source", "entity", "rule", "detail", "topic"}


@contextmanager
def own_silver(stack: Settings, lake: str) -> Iterator[Silver]:
    """An empty silver in a database of its own, as the pipeline's role; the process's settings point there."""
    with fresh_database(stack.dsn("owner")) as dsn, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OUTLAY_DATABASE_URL", dsn)
        patch.setenv("OUTLAY_LAKE_URL", lake)
        settings.cache_clear()
        try:
            with session("pipeline", autocommit=True) as connection:
                yield Silver(connection, lake)
        finally:
            settings.cache_clear()
