"""A topic's days from bronze to silver once more: staged, audited, and put in the place of the old ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import psycopg

from orchestration.backfill.days import batches_of
from orchestration.backfill.replace import Replaced, replace
from orchestration.batches import restage
from orchestration.expectations.runner import Outcome
from orchestration.expectations.silver import audit_staged

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Made:
    """What the checks of a topic's new batches found, and what the batches replaced: None where a check failed."""

    topic: str
    outcomes: list[Outcome]
    replaced: Replaced | None


def make_again(
    session: Callable[[], SparkSession],
    connection: psycopg.Connection,
    lake: str,
    topic: str,
    first: date,
    last: date,
    *,
    preview: bool = False,
    run_id: str | None = None,
) -> Made:
    """Make a topic's batches of these ingest dates (UTC, both included) again, and replace them if a row differs.

    Killed anywhere it leaves silver as it was or as it is to be; run again it makes up for what was not done.

    Args:
        session: gives the Spark session, whose time zone is UTC; not asked where no batch is of those days.
        connection: in autocommit mode, with the rights of ``outlay_pipeline``.
        preview: compare, and replace nothing.

    Raises:
        CorruptedFile: a bronze file is missing or damaged.
        RowsLost: Spark read another number of rows than the manifest names.
        NotAudited: a release or another backfill came between; nothing was replaced.
        SeveralLogs: the topic was created anew.
    """
    batch_ids = batches_of(connection, topic, first, last)
    if not batch_ids:
        return Made(topic, [], Replaced(topic))
    batches = restage(session, connection, lake, topic, batch_ids, run_id=run_id)
    outcomes = [outcome for batch in batches for outcome in audit_staged(connection, lake, batch)]
    if not all(outcome.passed for outcome in outcomes):
        return Made(topic, outcomes, None)
    return Made(topic, outcomes, replace(connection, lake, batches, preview=preview, run_id=run_id))
