"""Silver of the transaction topic in DuckDB's words: columns, rules and decisions of `orchestration.silver`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from ingestion import rules
from ingestion.events import NIL

_EARLIEST, _LATEST = f"DATE '{rules.EARLIEST}'", rules.LATEST.days
_RULES = {
    "currency_known": ("currency IN (SELECT unnest(getvariable('known')))", "currency"),
    "workspace_given": ("workspace_given", "'none'"),
    "version_positive": ("version >= 1", "version"),
    "operation_known": ("operation <> 'unknown'", "operation"),
    "kind_known": ("kind <> 'unknown'", "kind"),
    "status_known": ("status <> 'unknown'", "status"),
    "sign_matches_kind": (
        "NOT (kind = 'expense' AND amount < 0 OR kind IN ('refund', 'income') AND amount > 0)",
        "amount",
    ),
    "lines_sum": ("len(lines) = 0 OR total = amount", "total"),
    "lines_few": (f"len(lines) <= {rules.MAX_LINES}", "len(lines)"),
    "line_ids_unique": ("len(list_distinct(list_transform(lines, lambda l: l.line_id))) = len(lines)", "len(lines)"),
    "date_plausible": (f"occurred_on >= {_EARLIEST} AND occurred_on - recorded_on <= {_LATEST}", "occurred_on"),
    "posted_date_plausible": (f"posted_on >= {_EARLIEST} AND posted_on - recorded_on <= {_LATEST}", "posted_on"),
    **{
        f"{field}_short": (f"length({field}) <= {most}", f"length({field})") for field, most in rules.MAX_LENGTH.items()
    },
    "tags_valid": (
        f"len(tag_list) <= {rules.MAX_TAGS} AND len(list_distinct(tag_list)) = len(tag_list)"
        f" AND len(list_filter(tag_list, lambda t: NOT length(t) BETWEEN 1 AND {rules.MAX_TAG_LENGTH})) = 0",
        "len(tag_list)",
    ),
    "mcc_valid": ("regexp_full_match(mcc, '[0-9]{4}')", "mcc"),
    "confidence_valid": ("category_confidence BETWEEN 0 AND 1", "category_confidence"),
}
_PROBLEMS = ",\n        ".join(
    f"CASE WHEN NOT coalesce({holds}, true) THEN {{'rule': '{name}', 'detail': ({detail})::VARCHAR}} END"
    for name, (holds, detail) in _RULES.items()
)
_DECIDED = f"""
CREATE OR REPLACE TEMP VIEW decided AS
WITH typed AS (
    SELECT
        * EXCLUDE (workspace_id, tags, attachments, sealed, key_id),
        filename AS batch,
        coalesce(workspace_id, '{NIL}') AS workspace_id,
        coalesce(workspace_id, '{NIL}') <> '{NIL}' AS workspace_given,
        'transaction' AS entity,
        transaction_id AS entity_id,
        to_json(tags)::VARCHAR AS tags,
        tags AS tag_list,
        list_sum(list_transform(lines, lambda l: l.amount))::DECIMAL(38, 4) AS total,
        recorded_at::DATE AS recorded_on
    FROM read_parquet(getvariable('input'), filename = true, hive_partitioning = false)
), judged AS (
    SELECT *, list_filter([
        {_PROBLEMS}
    ], lambda p: p IS NOT NULL) AS problems
    FROM typed
), sighted AS (
    SELECT *, row_number() OVER (
        PARTITION BY batch, workspace_id, entity_id, event_id ORDER BY topic_id, "partition", "offset"
    ) = 1 AS first_sight
    FROM judged
)
SELECT *, CASE
    WHEN NOT first_sight THEN 'duplicate'
    WHEN version <= max(CASE WHEN first_sight THEN version END) OVER (
        PARTITION BY batch, workspace_id, entity_id ORDER BY topic_id, "partition", "offset"
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) THEN 'stale'
    ELSE 'accepted'
END AS decision
FROM sighted
"""  # noqa: S608
_EVENTS = """
COPY (
    SELECT * EXCLUDE (batch, filename, workspace_given, tag_list, total, recorded_on, problems, first_sight)
    FROM decided WHERE len(problems) = 0
) TO '{events}' (FORMAT parquet, PARTITION_BY (ingest_date))
"""
_QUARANTINE = """
COPY (
    SELECT topic_id, "partition", "offset", ingest_date, workspace_id, entity_id, event_id, version, problem.*, row
    FROM (
        SELECT * EXCLUDE (problems), unnest(problems) AS problem,
            to_json(decided)::VARCHAR AS row
        FROM decided WHERE len(problems) > 0
    )
) TO '{quarantine}' (FORMAT parquet, PARTITION_BY (ingest_date))
"""
_LINES = """
COPY (
    SELECT workspace_id, topic_id, "partition", "offset", transaction_id, ingest_date, occurred_on, currency,
        place AS line_no, line.line_id, line.category_id, line.amount, line.note
    FROM (
        SELECT *, unnest(parts) AS line, unnest(range(1, len(parts) + 1))::INT AS place
        FROM (
            SELECT *, CASE WHEN len(lines) = 0 THEN [{{
                'line_id': transaction_id, 'category_id': category_id, 'amount': amount, 'note': NULL::VARCHAR
            }}] ELSE list_transform(lines, lambda l: {{
                'line_id': l.line_id, 'category_id': l.category_id, 'amount': l.amount, 'note': l.note
            }}) END AS parts
            FROM read_parquet('{events}/*/*.parquet', hive_partitioning = true)
        )
    )
) TO '{lines}' (FORMAT parquet, PARTITION_BY (ingest_date))
"""


def opened(memory: str) -> duckdb.DuckDBPyConnection:
    """DuckDB on all processors, in UTC."""
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{memory}'; SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    return connection


def silver(connection: duckdb.DuckDBPyConnection, files: list[Path], known: Collection[str], into: Path) -> None:
    """Write `events`, `quarantine` and `lines` below `into`; each file is a batch of its own."""
    into.mkdir(parents=True)
    connection.execute("SET VARIABLE known = ?", [sorted(known)])
    connection.execute("SET VARIABLE input = ?", [list(map(str, files))])
    connection.execute(_DECIDED)
    for statement in (_EVENTS, _QUARANTINE, _LINES):
        connection.execute(statement.format(**{name: into / name for name in ("events", "quarantine", "lines")}))
