"""Whether what a system has written is what the log says: checksums over contents, not over counts."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from bench.live.scene import Scene

_PLAIN = {
    "peer.transactions": "workspace_id, transaction_id, event_id, version, operation, kind, status, account_id, "
    "occurred_on, amount, currency, merchant, description, category_id, category_source, category_confidence, "
    "decided_by, source, occurred_at, recorded_at, kafka_partition, kafka_offset, logged_at",
}
_PRODUCTION = {
    "live.events": 'workspace_id, topic, topic_id, partition, "offset", logged_at, event_id, entity, entity_id, '
    "version, operation, decision, actor_id, source, external_id, correlation_id, occurred_at, recorded_at, state",
    "live.transactions": "workspace_id, transaction_id, version, operation, kind, status, account_id, occurred_on, "
    "amount, currency, merchant, description, category_id, category_source, category_confidence, decided_by, tags, "
    'attachments, event_id, source, recorded_at, topic_id, partition, "offset"',
    "live.monthly_totals": "workspace_id, month, account_id, category_id, currency, kind, lines, amount",
}

Sums = dict[str, tuple[int, str]]
"""Table to the number of its rows and the sum of their hashes."""


def sums(scene: Scene, table: str) -> Sums:
    """Of what a system that writes `table` is to have written."""
    tables = _PLAIN if scene.table(table) == "peer.transactions" else _PRODUCTION
    with psycopg.connect(scene.task.dsn) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return {name: _sum(connection, name, columns) for name, columns in tables.items()}


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
        return {"peer.transactions": _sum(connection, "expected", _PLAIN["peer.transactions"])}


def _sum(connection: psycopg.Connection, table: str, columns: str) -> tuple[int, str]:
    count, total = connection.execute(
        f"SELECT count(*), coalesce(sum(hash_record_extended(ROW({columns}), 0)), 0)::text FROM {table}"  # noqa: S608
    ).fetchone()
    return count, total


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
