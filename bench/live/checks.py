"""Whether what a system has written is what the log says: checksums over contents, not over counts."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from bench.live.scene import Scene
from ingestion.replay import catalogue

_PLAIN = ("peer.transactions",)
_PRODUCTION = ("live.events", "live.transactions", "live.monthly_totals")

Sums = dict[str, tuple[int, str]]
"""Table to the number of its rows and the sum of their hashes."""


def sums(scene: Scene, table: str) -> Sums:
    """Of what a system that writes `table` is to have written."""
    tables = _PLAIN if scene.table(table) == "peer.transactions" else _PRODUCTION
    with psycopg.connect(scene.task.dsn) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {name: _sum(connection, name) for name in tables}


def expected_plain(scene: Scene) -> Sums:
    """What `peer.transactions` is to hold when all that the scene's live holds beyond its start was upserted.

    The reference is the projector's history, which the checks of the project compare with an independent model.
    """
    with psycopg.connect(scene.task.dsn) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        places: Sequence[tuple[int, int]] = list(scene.task.start.items())
        connection.execute("CREATE TEMP TABLE start (partition int, first bigint)")
        connection.cursor().executemany("INSERT INTO start VALUES (%s, %s)", places)
        connection.execute("CREATE TEMP TABLE expected (LIKE peer.transactions)")
        connection.execute(_EXPECTED)
        return {"peer.transactions": _sum(connection, "expected")}


def _sum(connection: psycopg.Connection, table: str) -> tuple[int, str]:
    """Over the columns that follow from the log, as a replay compares them."""
    columns = ", ".join(f'"{name}"' for name in catalogue.columns(connection, table))
    return connection.execute(
        f"SELECT count(*), coalesce(sum(hash_record_extended(ROW({columns}), 0)), 0)::text FROM {table}"  # noqa: S608
    ).fetchone()


_EXPECTED = """
INSERT INTO expected
SELECT DISTINCT ON (e.workspace_id, e.entity_id)
       e.workspace_id, e.entity_id, e.event_id, e.version, e.operation, o.kind, o.status, o.account_id, o.occurred_on,
       o.amount, o.currency, o.merchant, o.description, o.category_id, o.category_source, o.category_confidence,
       o.decided_by, e.source, (extract(epoch FROM e.occurred_at) * 1000000)::bigint,
       (extract(epoch FROM e.recorded_at) * 1000000)::bigint, e.partition, e."offset", e.logged_at
FROM live.events AS e
INNER JOIN start AS s ON s.partition = e.partition AND e."offset" >= s.first
CROSS JOIN LATERAL jsonb_to_record(e.state) AS o (
    kind text, status text, account_id uuid, occurred_on date, amount numeric, currency text, merchant text,
    description text, category_id text, category_source text, category_confidence double precision, decided_by text
)
WHERE e.topic = 'transaction'
ORDER BY e.workspace_id, e.entity_id, e."offset" DESC
"""
