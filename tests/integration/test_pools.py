"""Runs as the queue starts them: builds take turns, and what writes elsewhere runs beside one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from ingestion import events
from outlay.builds import Dagster
from outlay.db import session
from outlay.settings import Settings
from tests.landing import append, purchase
from tests.support import outlay_json, unlanded, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

_RUN = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status startTime endTime } } }"


@contextmanager
def held_before_silver() -> Iterator[None]:
    """Whoever wants to know which files wait for silver waits itself, until the block ends."""
    with session("owner") as connection:
        connection.execute("LOCK TABLE silver.batch_files IN ACCESS EXCLUSIVE MODE")
        yield


def waits_before_silver() -> bool:
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'silver.batch_files'::regclass AND NOT granted)"
    with session("owner") as connection:
        return connection.execute(waiting).fetchone()[0]


def run(stack: Settings, run_id: str) -> dict[str, Any]:
    """Its status, and when it started and ended: seconds since 1970."""
    asked = {"query": _RUN, "variables": {"id": run_id}}
    return httpx.post(f"{stack.dagster_url}/graphql", json=asked, timeout=30).json()["data"]["runOrError"]


def in_gold(workspace_id) -> int:
    query = "SELECT count(*) FROM gold.fct_transactions WHERE workspace_id = %s"
    with session("dbt") as connection:
        return connection.execute(query, (workspace_id,)).fetchone()[0]


def test_two_builds_take_turns_while_a_landing_and_data_docs_run_beside_them(stack):
    workspace_id = events.new_id()
    append(stack, purchase(workspace_id))
    assert outlay_json("build", timeout=900)["status"] == "SUCCESS"  # there is something for Data Docs to show
    dagster = Dagster(stack.dagster_url)
    with held_before_silver():
        first, second = dagster.launch("build"), dagster.launch("build")
        until(waits_before_silver, what="the first build has landed and comes to silver")
        append(stack, purchase(workspace_id))
        for job in ("land", "data_docs"):
            *_, ended = dagster.follow(dagster.launch(job))
            assert ended.subject == "SUCCESS", job
        assert unlanded() == 0
        assert [run(stack, build)["status"] for build in (first, second)] == ["STARTED", "QUEUED"]
    for build in (first, second):
        *_, ended = dagster.follow(build)
        assert ended.subject == "SUCCESS"
    assert run(stack, second)["startTime"] >= run(stack, first)["endTime"]
    assert in_gold(workspace_id) == 2
