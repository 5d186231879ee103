"""Silver as the warehouse reads it: the tables of PostgreSQL's schema `silver`."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetSpec, MaterializeResult, MetadataValue, multi_asset

from ingestion.contracts import TOPICS
from orchestration import figures, pools
from orchestration.figures.rows import row_counts
from orchestration.retries import retried
from outlay.db import session
from outlay.settings import settings

if TYPE_CHECKING:
    from orchestration.batches import Published

_TABLES = {
    "user_events": "Changes of users, workspaces, accounts, categories, rules and budgets. One row an event.",
    "transaction_events": "Changes of transactions: the state after each, and the decision on it. One row an event.",
    "transaction_lines": "The lines of each transaction event. One row a line.",
    "report_events": "Steps in the life of reports. One row an event.",
    "reminder_events": "Steps in the life of reminders. One row an event.",
    "quarantine": "Events that broke a rule, whole, with the rule's name and what was wrong. One row a broken rule.",
    "batches": "The published batches, in their order: what is not named here does not exist. One row a batch.",
}

_USES = {"batches": [["silver", "fx_rates"]]}  # rates come as batches of the same list


def _topics_of(table: str) -> list[str]:
    """The topics whose batches are copied there, as their names say; a test compares them with what is copied."""
    topic, _, _ = table.partition("_")
    return [topic] if topic in TOPICS else list(TOPICS)


def _spec(table: str, holds: str) -> AssetSpec:
    return AssetSpec(
        ["silver", table],
        deps=[*(["silver", f"{topic}_batch"] for topic in _topics_of(table)), *_USES.get(table, [])],
        description=holds,
        group_name="silver",
        kinds={"postgres"},
        owners=["team:data"],
        tags={"outlay/layer": "silver"},
        metadata={"dagster/table_name": f"outlay.silver.{table}"},
    )


@multi_asset(
    name="silver",
    specs=[_spec(table, holds) for table, holds in _TABLES.items()],
    pool=pools.SILVER,
    description="Copies each batch that passed its checks into PostgreSQL, in one transaction a batch.",
)
def silver(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
    from orchestration.batches import publish  # with all that reads Parquet: only a run needs it

    done: list[Published] = []
    began = time.monotonic()
    with retried(), session("pipeline", autocommit=True) as connection:
        for topic in TOPICS:  # users first: what the others name is there before them
            done.append(publish(connection, settings().lake, topic, run_id=context.run_id))
        seconds = time.monotonic() - began
        counts = row_counts(connection, [("silver", table) for table in _TABLES])
    for table in _TABLES:
        metadata = _metadata(table, done, seconds, counts["silver", table])
        yield MaterializeResult(asset_key=["silver", table], metadata=metadata)


def _metadata(table: str, done: "list[Published]", seconds: float, row_count: int) -> dict:
    theirs = [published for published in done if published.topic in _topics_of(table)]
    batch_ids = [batch_id for published in theirs for batch_id in published.batch_ids]
    written = len(batch_ids) if table == "batches" else sum(published.rows[table] for published in theirs)
    return figures.metadata(
        rows_read=sum(published.rows_read for published in theirs),
        rows_written=written,
        row_count=row_count,
        batches=MetadataValue.json(batch_ids),
        seconds=seconds,
    )
