"""What each layer holds, each read from that layer's own store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, TypedDict

import fastavro
import psycopg

from ingestion.acceptance import Seen, Sight, decide
from ingestion.contracts import schema
from ingestion.landing import BronzeFile, files, store
from outlay.db import session
from outlay.settings import settings


class Figures(TypedDict):
    transactions: int
    """Current transactions: accepted, not voided."""
    totals: dict[str, str]
    """Sum of their amounts by currency, money out less money in, as plain decimals such as ``69719688.04``."""


def layers() -> dict[str, Figures]:
    """Current transactions of ``live``, ``bronze``, ``silver`` and ``gold``; nothing of one never built."""
    with session("dbt") as connection:
        connection.execute("SET LOCAL work_mem = '128MB'")
        return {
            "live": _counted(connection.execute(_LIVE)),
            "bronze": _bronze(files(connection, "transaction"), settings().lake),
            "silver": _counted(connection.execute(_SILVER)),
            "gold": _counted(connection.execute(_GOLD)) if _has_facts(connection) else _figures({}, 0),
        }


_LIVE = """
    SELECT currency, count(*), sum(amount) FROM live.transactions WHERE operation <> 'voided' GROUP BY currency
"""

_SILVER = """
    WITH events AS (
        SELECT workspace_id, transaction_id, topic_id, partition, "offset", batch_id, event_id, version
        FROM silver.transaction_events
        UNION ALL
        SELECT DISTINCT workspace_id, entity_id, topic_id, partition, "offset", batch_id, event_id, version
        FROM silver.quarantine_states
        WHERE topic = 'transaction' AND workspace_id IS NOT NULL AND entity_id IS NOT NULL
            AND event_id IS NOT NULL AND version IS NOT NULL
            AND released_in_batch IS NULL
    ), placed AS (
        SELECT *, min(batch_id) OVER (PARTITION BY workspace_id, transaction_id, topic_id) AS epoch FROM events
    ), sighted AS (
        SELECT *, row_number() OVER (
            PARTITION BY workspace_id, transaction_id, event_id ORDER BY epoch, partition, "offset") AS sight
        FROM placed
    ), judged AS (
        SELECT *, max(version) FILTER (WHERE sight = 1) OVER (
            PARTITION BY workspace_id, transaction_id ORDER BY epoch, partition, "offset"
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
        FROM sighted
    ), latest AS (
        SELECT DISTINCT ON (j.workspace_id, j.transaction_id) e.operation, e.currency, e.amount
        FROM judged AS j
        JOIN silver.transaction_events AS e USING (workspace_id, topic_id, partition, "offset")
        WHERE j.sight = 1 AND (j.highest IS NULL OR j.version > j.highest)
        ORDER BY j.workspace_id, j.transaction_id, j.version DESC
    )
    SELECT currency, count(*), sum(amount) FROM latest WHERE operation <> 'voided' GROUP BY currency
"""

_GOLD = """
    SELECT currency, count(*), sum(amount)
    FROM (
        SELECT workspace_id, transaction_id, currency, sum(amount) AS amount
        FROM gold.fct_transactions GROUP BY workspace_id, transaction_id, currency
    ) AS transactions
    GROUP BY currency
"""


def _has_facts(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT to_regclass('gold.fct_transactions') IS NOT NULL").fetchone()[0]


def _counted(rows: Iterable[tuple[str, int, Decimal]]) -> Figures:
    found = list(rows)
    return _figures({currency: total for currency, _, total in found}, sum(count for _, count, _ in found))


def _figures(totals: dict[str, Decimal], transactions: int) -> Figures:
    return {"transactions": transactions, "totals": {c: plain(totals[c]) for c in sorted(totals)}}


def plain(amount: Decimal) -> str:
    """The amount with two decimals, or up to four where it has them: ``12.50``, ``0.0001``."""
    whole, _, decimals = f"{amount:.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _bronze(manifest: list[BronzeFile], lake: str) -> Figures:
    """Read the files that the manifest names, in the order they were landed, and apply the acceptance rule."""
    seen, current = Seen(), {}
    for file in manifest:
        for event in _events(lake, file):
            key = (event["workspace_id"], event["transaction_id"])
            (decision,) = decide([Sight(event["event_id"], key, event["version"])], seen)
            if decision == "accepted":
                current[key] = None if event["operation"] == "voided" else (event["currency"], event["amount"])
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    held = [state for state in current.values() if state is not None]
    for currency, amount in held:
        totals[currency] += amount
    return _figures(totals, len(held))


def _events(lake: str, file: BronzeFile) -> Iterator[dict[str, Any]]:
    fs, path = store.locate(lake, file.path)
    with fs.open(path, "rb") as content:
        for row in fastavro.reader(content, reader_schema=_PROJECTION):
            yield row["value"]


_FIELDS = ("event_id", "workspace_id", "transaction_id", "version", "operation", "amount", "currency")


def _projection() -> dict[str, Any]:
    """A reader's schema of the few fields that count: Avro skips the others."""
    event = schema("transaction")
    value = {**event, "fields": [field for field in event["fields"] if field["name"] in _FIELDS]}
    return {
        "type": "record",
        "name": "BronzeEvent",
        "namespace": "outlay.bronze",
        "fields": [{"name": "value", "type": value}],
    }


_PROJECTION = fastavro.parse_schema(_projection())
