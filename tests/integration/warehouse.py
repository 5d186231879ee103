"""The layers of one database, filled event by event without Kafka and Spark: what each holds of the same log.

Events go to live through the projector's own merge, to bronze as container files named in the manifest, and to silver
as the rows that a batch publishes.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastavro import parse_schema, schemaless_writer
from psycopg.types.json import Jsonb

from ingestion import events
from ingestion.batches import number
from ingestion.contracts import schema
from ingestion.landing import store
from ingestion.landing.containers import Container, events_schema
from ingestion.projection.log import Partition, Topic
from ingestion.projection.records import Record
from ingestion.projection.rows import row
from ingestion.projection.view import View
from ingestion.rates import load
from orchestration.batches.publish import TABLES
from outlay.settings import Settings, settings
from outlay.stack.environment import dbt_variables
from tests.integration.databases import fresh_database

TOPICS = {topic: Topic(f"{topic}-log", 1) for topic in ("transaction", "user", "report", "reminder")}
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
WORKSPACE, OTHER_WORKSPACE, ACCOUNT = UUID(int=1), UUID(int=2), UUID(int=3)


def purchase(**fields: Any) -> dict[str, Any]:
    given = {
        "workspace_id": WORKSPACE,
        "transaction_id": uuid4(),
        "account_id": ACCOUNT,
        "kind": "expense",
        "occurred_on": date(2026, 5, 1),
        "amount": Decimal("4.5000"),
        "currency": "EUR",
        "merchant": "Bakery",
        "category_id": "food.groceries",
        "source": "app",
        "occurred_at": NOW,
        "recorded_at": NOW,
    }
    return events.transaction(**{**given, **fields})


def amended(event: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The next version of a transaction."""
    new = {"event_id": uuid4(), "version": event["version"] + 1, "operation": "amended"}
    return {**event, **new, **fields}


@dataclass
class Warehouse:
    connection: psycopg.Connection
    view: View
    offsets: dict[str, Iterator[int]] = field(default_factory=lambda: {topic: count() for topic in TOPICS})
    set_aside: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Transaction events in quarantine that nobody has released, each with its offset."""

    def publish(
        self, *batch: dict[str, Any], topic: str = "transaction", quarantined: frozenset[UUID] = frozenset()
    ) -> int:
        """Write the events to the log's end: to live, bronze, and silver as one batch. Returns its number."""
        placed = [(next(self.offsets[topic]), event) for event in batch]
        self.to_live(topic, placed)
        return self.to_silver(topic, placed, self.to_bronze(topic, placed), quarantined)

    def release(self, *held: tuple[int, dict[str, Any]]) -> int:
        """Publish events of `set_aside` in a batch of their own, as a build after their release does."""
        self.set_aside = [each for each in self.set_aside if each not in held]
        return self.to_silver("transaction", list(held), None, frozenset())

    def replace(self, old: int, placed: list[tuple[int, dict]]) -> int:
        """Put a batch of these events, at these offsets, in the place of another, as a backfill does."""
        with self.connection.transaction():
            (file_id,) = self.connection.execute(
                "DELETE FROM silver.batch_files WHERE batch_id = %s RETURNING file_id", (old,)
            ).fetchone()
            for table in (*TABLES["transaction"].values(), "batches"):
                self.connection.execute(f"DELETE FROM silver.{table} WHERE batch_id = %s", (old,))  # noqa: S608
            new = self.to_silver("transaction", placed, file_id, frozenset())
            self.connection.execute("UPDATE silver.batches SET replaces = %s WHERE batch_id = %s", ([old], new))
        return new

    def rates(self, rates: dict[date, dict[str, str]]) -> int | None:
        """Take in a file of the European Central Bank with these rates; returns its batch's number."""
        currencies = sorted({currency for of_day in rates.values() for currency in of_day})
        lines = [f"{day},{','.join(of_day.get(c, 'N/A') for c in currencies)}" for day, of_day in rates.items()]
        content = "\n".join([f"Date,{','.join(currencies)}", *lines])
        return load(self.connection, settings().lake, content.encode(), "rates.csv").batch_id

    def live_only(self, *batch: dict[str, Any]) -> None:
        """Events that no build has landed yet."""
        self.to_live("transaction", [(next(self.offsets["transaction"]), event) for event in batch])

    def to_live(self, topic: str, placed: list[tuple[int, dict]]) -> None:
        records = []
        for offset, event in placed:
            place = (topic, TOPICS[topic].topic_id, 0, offset, NOW)
            records.append(Record(*place, key=b"", value=b"", headers=[], row=row(*place, event).row, reason=None))
        self.view.write(records, {Partition(topic, 0): placed[-1][0] + 1})

    def to_bronze(self, topic: str, placed: list[tuple[int, dict]]) -> int:
        container = Container(events_schema(schema(topic)), schema_id=1, day=NOW.date())
        contract = parse_schema(schema(topic))
        for offset, event in placed:
            value = io.BytesIO()
            schemaless_writer(value, contract, event)
            envelope = {
                "_topic": topic,
                "_partition": 0,
                "_offset": offset,
                "_timestamp": 0,
                "_key": None,
                "_headers": [],
            }
            container.append({**envelope, "_schema_id": 1}, value.getvalue())
        written = container.finish()
        path = f"{topic}/{written.first_offset}-{written.last_offset}.avro"
        store.put(settings().lake, path, written.content)
        place = (topic, TOPICS[topic].topic_id, written.first_offset, written.last_offset, NOW.date())
        return self.connection.execute(
            "INSERT INTO bronze.files (partition, kind, schema_id, topic, topic_id, first_offset, last_offset,"
            " ingest_date, path, rows, bytes, sha256)"
            " VALUES (0, 'events', 1, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING file_id",
            (*place, path, written.rows, len(written.content), written.sha256),
        ).fetchone()[0]

    def to_silver(
        self, topic: str, placed: list[tuple[int, dict]], file_id: int | None, quarantined: frozenset[UUID]
    ) -> int:
        with self.connection.pipeline(), self.connection.transaction():
            batch_id = number(self.connection, topic=topic, path="-", rows_read=len(placed), rows_published=len(placed))
            if file_id is not None:
                self._insert("batch_files", {"file_id": file_id, "batch_id": batch_id})
            for offset, event in placed:
                place = {"batch_id": batch_id, "topic_id": TOPICS[topic].topic_id, "partition": 0, "offset": offset}
                if event["event_id"] in quarantined:
                    self._quarantine(topic, place, event)
                    if topic == "transaction":
                        self.set_aside.append((offset, event))
                elif topic == "transaction":
                    self._transaction(place, event)
                else:
                    self._entity(topic, place, event)
            if len(placed) > 1_000:  # as publication does
                for table in TABLES[topic].values():
                    self.connection.execute(f"ANALYZE silver.{table}")
        return batch_id

    def _transaction(self, place: dict, event: dict) -> None:
        own = {k: v for k, v in event.items() if k not in ("lines", "attachments", "sealed", "key_id", "tags")}
        at = {**place, "workspace_id": event["workspace_id"]}
        self._insert("transaction_events", {**own, **at, "logged_at": NOW, "decision": "accepted", "tags": "[]"})
        lines = event["lines"] or [
            {"line_id": event["transaction_id"], "category_id": event["category_id"], "amount": event["amount"]}
        ]
        for line_no, line in enumerate(lines, start=1):
            self._insert(
                "transaction_lines",
                {
                    **at,
                    "transaction_id": event["transaction_id"],
                    "line_no": line_no,
                    "currency": event["currency"],
                    "line_id": line["line_id"],
                    "category_id": line["category_id"],
                    "amount": line["amount"],
                },
            )

    def _entity(self, topic: str, place: dict, event: dict) -> None:
        own = (
            "event_id",
            "version",
            "operation",
            "actor_id",
            "source",
            "external_id",
            "correlation_id",
            "occurred_at",
            "recorded_at",
        )
        entity, entity_id = events.thing(topic, event)
        told = [entity] if topic == "user" else [name for name in event if name not in events.ENVELOPE]
        state = json.dumps({name: event[name] for name in told if event[name] is not None}, default=str)
        workspace_id = event["workspace_id"] or events.NIL
        known = {name: event[name] for name in own} | {"entity": entity, "entity_id": entity_id}
        self._insert(
            f"{topic}_events",
            {**known, **place, "workspace_id": workspace_id, "logged_at": NOW, "decision": "accepted", "state": state},
        )

    def _quarantine(self, topic: str, place: dict, event: dict) -> None:
        _, entity_id = events.thing(topic, event)
        for rule in ("version_positive", "operation_known"):
            self._insert(
                "quarantine",
                {
                    **place,
                    "topic": topic,
                    "workspace_id": event["workspace_id"] or events.NIL,
                    "entity_id": entity_id,
                    "event_id": event["event_id"],
                    "version": event["version"],
                    "rule": rule,
                    "detail": "-",
                    "row": json.dumps(event, default=str),
                },
            )

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        columns = ", ".join(f'"{name}"' for name in values)
        self.connection.execute(
            f"INSERT INTO silver.{table} ({columns}) VALUES ({', '.join(['%s'] * len(values))})",  # noqa: S608
            list(values.values()),
        )

    def admit(self, workspace_id: UUID) -> UUID:
        """Somebody who may look at the workspace, from now on; live alone knows them."""
        user_id, membership = uuid4(), {"membership": {"role": "viewer"}}
        membership["membership"]["user_id"] = str(user_id)
        self.connection.execute(
            "INSERT INTO live.entities (workspace_id, entity, entity_id, version, operation, state, event_id, "
            'recorded_at, topic_id, partition, "offset") '
            "VALUES (%s, 'membership', %s, 1, 'created', %s, %s, now(), 'of no log', 0, 0)",
            (workspace_id, uuid4(), Jsonb(membership), uuid4()),
        )
        return user_id

    def rows(self, query: str, *parameters: Any) -> list[tuple]:
        return self.connection.execute(query, parameters or None).fetchall()


@contextmanager
def opened(stack: Settings, lake: Path, revision: str = "head") -> Iterator[Warehouse]:
    """An empty warehouse in a database of its own; the process's settings point there until the end.

    Args:
        revision: of the migrations that the database has seen.
    """
    patch = pytest.MonkeyPatch()
    with fresh_database(stack.dsn("owner"), revision) as dsn:
        patch.setenv("OUTLAY_DATABASE_URL", dsn)
        patch.setenv("OUTLAY_LAKE_URL", str(lake))
        settings.cache_clear()
        try:
            with psycopg.connect(dsn, autocommit=True) as connection, View.opened(dsn, TOPICS) as view:
                yield Warehouse(connection, view)
        finally:
            patch.undo()
            settings.cache_clear()


def dbt(*arguments: str, variables: Mapping[str, str] | None = None) -> Any:
    """Run dbt in this process, as Dagster does; returns dbt's result.

    Args:
        variables: of the environment, if not those of the running warehouse.
    """
    from dbt.cli.main import dbtRunner

    from orchestration.defs.gold.project import DBT_PROJECT, flags, target

    os.environ.update(variables or dbt_variables(settings()))
    with chdir(DBT_PROJECT):
        parsed = _manifest(os.environ["OUTLAY_PG_DBNAME"], os.environ["OUTLAY_DBT_TARGET"])
        return dbtRunner(manifest=parsed).invoke([*arguments, *flags(target() / "test")])


def build(*arguments: str) -> None:
    """``dbt build`` of everything but unit tests, which must succeed."""
    done = dbt("build", "--exclude-resource-type", "unit_test", *arguments)
    failed = [(r.node.name, r.message) for r in getattr(done.result, "results", []) if r.status in ("error", "fail")]
    assert done.success, failed or done.exception


@cache
def _manifest(dbname: str, target_name: str) -> Any:
    """dbt's own object, read once for each database and target: the names of relations in it are whole."""
    from dbt.cli.main import dbtRunner

    from orchestration.defs.gold.project import DBT_PROJECT, flags, target

    with chdir(DBT_PROJECT):
        done = dbtRunner().invoke(["parse", *flags(target() / "test")])
    assert done.success, done.exception
    return done.result
