"""What a batch needs from outside its events: known currencies, workspaces' currencies, exchange rates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from orchestration.batches import parquet
from orchestration.batches.register import Staged
from orchestration.silver.converted import OLDEST

_RATES = "rate_on date, currency string, per_eur decimal(24,12)"
_WORKSPACES = "workspace_id string, workspace_currency string, minor_units int"


class NoReferenceData(RuntimeError):
    """The reference tables are missing or empty: dbt has not built them."""


@dataclass(frozen=True)
class Needs:
    """What the events of a batch name: the workspaces, the currencies, and the days from `first` to `last`."""

    workspaces: list[str]
    currencies: set[str]
    first: date
    last: date


def minor_units(connection: psycopg.Connection) -> dict[str, int]:
    """Every known currency (ISO 4217) and its minor units.

    Raises:
        NoReferenceData: see there.
    """
    try:
        known = dict(connection.execute("SELECT currency, minor_units FROM reference.currencies").fetchall())
    except psycopg.errors.UndefinedTable:
        known = {}
    if not known:
        raise NoReferenceData(
            "reference.currencies is empty: `outlay build` builds it, or dbt alone with `dbt build -s reference`"
        )
    return known


def needs(lake: str, path: str) -> Needs | None:
    """What the events staged below `path` need for their conversion; None where there are none."""
    events = parquet.dataset(lake, path)
    if events is None:
        return None
    workspaces, currencies, days = set(), set(), []
    for batch in events.to_batches(columns=["workspace_id", "currency", "occurred_on"]):
        if batch.num_rows:
            workspaces.update(pc.unique(batch["workspace_id"]).to_pylist())
            currencies.update(pc.unique(batch["currency"]).to_pylist())
            days.extend(pc.min_max(batch["occurred_on"]).as_py().values())
    return Needs(sorted(workspaces), currencies, min(days), max(days)) if days else None


def workspaces(
    spark: SparkSession, connection: psycopg.Connection, lake: str, wanted: Iterable[str], users: Iterable[Staged]
) -> tuple[DataFrame, set[str]]:
    """The workspaces' currencies as a DataFrame, and the set of those currencies.

    They come from the workspaces' own events: those that silver has published, and those staged in this run (`users`).
    """
    wanted = list(wanted)
    newest: dict[str, tuple[int, str]] = {
        str(workspace_id): (version, currency)
        for workspace_id, version, currency in connection.execute(
            "SELECT DISTINCT ON (workspace_id) workspace_id, version, state -> 'workspace' ->> 'currency'"
            " FROM silver.user_events WHERE entity = 'workspace' AND workspace_id = ANY(%s::uuid[])"
            " AND decision = 'accepted' AND state -> 'workspace' ->> 'currency' IS NOT NULL"
            " ORDER BY workspace_id, version DESC",
            (wanted,),
        )
    }
    for batch in users:
        for workspace_id, version, currency in _staged_currencies(lake, batch, wanted):
            if workspace_id not in newest or version > newest[workspace_id][0]:
                newest[workspace_id] = (version, currency)
    units = minor_units(connection)
    rows = [(workspace_id, currency, units.get(currency)) for workspace_id, (_, currency) in newest.items()]
    return spark.createDataFrame(rows, _WORKSPACES), {currency for _, currency, _ in rows}


def rates(
    spark: SparkSession, connection: psycopg.Connection, currencies: set[str], first: date, last: date
) -> DataFrame:
    """The euro rates of `currencies` that are in use from `first` to `last`."""
    found: list[tuple[date, str, Decimal]] = []
    if len(currencies) > 1:  # one currency alone converts to nothing
        found = connection.execute(
            "SELECT rate_on, currency, per_eur FROM reference.fx_rates"
            " WHERE currency = ANY(%s) AND rate_on BETWEEN %s AND %s",
            (sorted(currencies), first - timedelta(days=OLDEST), last),
        ).fetchall()
    return spark.createDataFrame(found, _RATES)


def _staged_currencies(lake: str, batch: Staged, wanted: list[str]) -> list[tuple[str, int, str]]:
    events = parquet.dataset(lake, f"{batch.path}/events")
    if events is None:
        return []
    theirs = (
        (pc.field("entity") == "workspace")
        & (pc.field("decision") == "accepted")
        & pc.field("workspace_id").isin(wanted)
    )
    rows = events.to_table(columns=["workspace_id", "version", "state"], filter=theirs).to_pylist()
    currencies = [(row, (json.loads(row["state"]).get("workspace") or {}).get("currency")) for row in rows]
    return [(row["workspace_id"], row["version"], currency) for row, currency in currencies if currency]
