"""Where what somebody asked for has come to: each event of a correlation id, from the log to gold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ingestion import named
from outlay.db import session

_SQL = named.statements(Path(__file__).with_suffix(".sql"))
_MODELS = {"transaction": "fct_transactions"}
_ENTITIES = "int_entities_current"

Place = Literal["recorded", "log", "live", "bronze", "silver", "gold"]


@dataclass(frozen=True)
class Step:
    """A place that an event has come to, and when. `what`: where there, such as a partition and an offset."""

    place: Place
    at: datetime
    what: str


@dataclass(frozen=True)
class Traced:
    """An event, and how far it is."""

    event_id: UUID
    workspace_id: UUID
    entity: str
    entity_id: UUID
    version: int
    operation: str
    steps: Sequence[Step]


def trace(correlation_id: str) -> list[Traced]:
    """The events of a request or a run, in the order in which they were recorded; none of an unknown id.

    Args:
        correlation_id: as an answer of the API has it in ``X-Correlation-ID``, or an undoable run's id.
    """
    with session("dbt") as connection, connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["events"], {"correlation_id": correlation_id}).fetchall()
        built = {model: _built(cursor, model, _batches(found, model)) for model in {_model(row) for row in found}}
    return [_traced(row, built[_model(row)].get(row["batch_id"])) for row in found]


def _model(row: dict[str, Any]) -> str:
    """The table of the warehouse that says how far an event's kind has come."""
    return _MODELS.get(row["entity"], _ENTITIES)


def _batches(found: Iterable[dict[str, Any]], model: str) -> list[int]:
    return [row["batch_id"] for row in found if row["batch_id"] is not None and _model(row) == model]


def _built(cursor: psycopg.Cursor[dict[str, Any]], model: str, batches: Sequence[int]) -> dict[int, datetime]:
    if not cursor.execute("SELECT to_regclass('gold.model_runs') IS NOT NULL AS there").fetchone()["there"]:
        return {}
    rows = cursor.execute(_SQL["built"], {"batches": list(batches), "model": model})
    return {row["batch_id"]: row["built_at"] for row in rows}


def _traced(row: dict[str, Any], built_at: datetime | None) -> Traced:
    place = f"{row['topic']}/{row['partition']} at {row['offset']}"
    silver = f"batch {row['batch_id']}" + (f", set aside: {row['rule']}" if row["rule"] else "")
    gold = None if row["rule"] else built_at
    told: list[tuple[Place, datetime | None, str]] = [
        ("recorded", row["recorded_at"], row["source"]),
        ("log", row["logged_at"], place),
        ("live", row["committed_at"], row["decision"]),
        ("bronze", row["landed_at"], row["path"] or ""),
        ("silver", row["published_at"], silver),
        ("gold", gold, _model(row)),
    ]
    own = {name: row[name] for name in ("event_id", "workspace_id", "entity", "entity_id", "version", "operation")}
    return Traced(**own, steps=[Step(name, at, what) for name, at, what in told if at is not None])
