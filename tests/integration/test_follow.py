"""What was made alone is followed, by the daemon itself: a landing and days made again come to gold without a build."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from ingestion import events
from outlay.builds import LOCATION, REPOSITORY, Dagster
from outlay.db import session
from outlay.run_tags import LAUNCHED_BY
from outlay.settings import Settings
from tests.landing import append, purchase
from tests.support import outlay_json, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SELECTOR = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "sensorName": "follow"}
START = "mutation Start($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename } }"
RESET = "mutation Reset($s: SensorSelector!) { resetSensor(sensorSelector: $s) { __typename } }"
TICKS = "query Ticks($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState { ticks(limit: 9) { status timestamp } } } } }"  # noqa: E501
BACKFILL = "mutation Backfill($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"  # noqa: E501
RUNS = "query Runs($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results { runId } } } }"


def asked(stack: Settings, query: str, **variables: Any) -> dict[str, Any]:
    answer = httpx.post(f"{stack.dagster_url}/graphql", json={"query": query, "variables": variables}, timeout=60)
    return answer.json()["data"]


def looks(stack: Settings, *, since: float) -> int:
    """How often the daemon has looked at the conditions since then, at most nine times."""
    ticks = asked(stack, TICKS, s=SELECTOR)["sensorOrError"]["sensorState"]["ticks"]
    return sum(tick["status"] in ("SUCCESS", "SKIPPED") and tick["timestamp"] > since for tick in ticks)


def followers(stack: Settings) -> set[str]:
    """Ids of the runs that conditions have asked for."""
    return tagged(stack, LAUNCHED_BY, "condition")


def tagged(stack: Settings, key: str, value: str) -> set[str]:
    chosen = {"tags": [{"key": key, "value": value}]}
    return {run["runId"] for run in asked(stack, RUNS, f=chosen)["runsOrError"]["results"]}


@contextmanager
def following(stack: Settings) -> Iterator[None]:
    """The daemon looks at the conditions, as it does where builds start by themselves."""
    assert asked(stack, START, s=SELECTOR)["startSensor"]["__typename"] == "Sensor"
    try:
        yield
    finally:
        asked(stack, RESET, s=SELECTOR)


def test_a_landing_alone_comes_to_gold_in_one_run_with_its_checks_and_a_build_is_not_followed(stack):
    workspace_id = events.new_id()
    assert outlay_json("build", timeout=900)["status"] == "SUCCESS"
    dagster, before, began = Dagster(stack.dagster_url), followers(stack), time.time()
    with following(stack):
        until(lambda: looks(stack, since=began), what="the daemon has looked once", seconds=180)
        append(stack, purchase(workspace_id))
        *_, landed = dagster.follow(dagster.launch("land"))
        assert landed.subject == "SUCCESS"
        (follower,) = until(lambda: followers(stack) - before, what="the landing is followed", seconds=300)
        *happened, ended = dagster.follow(follower)
        *_, built = dagster.follow(dagster.launch("build"))  # by whoever, without a tag
        assert built.subject == "SUCCESS"
        ended_at = time.time()
        until(lambda: looks(stack, since=ended_at) >= 2, what="the daemon has looked twice since", seconds=300)
    assert ended.subject == "SUCCESS", [each for each in happened if not each.ok]
    checks = {each.subject for each in happened if each.kind == "checked"}
    assert {"silver/transaction_batch:expectations", "gold/fct_transactions:reconciliation"} <= checks
    with session("dbt") as connection:
        query = "SELECT count(*) FROM gold.fct_transactions WHERE workspace_id = %s"
        assert connection.execute(query, (workspace_id,)).fetchone() == (1,)
    assert followers(stack) - before == {follower}


def test_days_made_again_on_dagsters_pages_are_one_run_and_come_to_gold(stack):
    workspace_id = events.new_id()
    append(stack, purchase(workspace_id, mcc="5411"))
    assert outlay_json("build", timeout=900)["status"] == "SUCCESS"
    misread = "UPDATE silver.transaction_events SET mcc = '9999' WHERE workspace_id = %s"
    with session("pipeline") as connection:  # as an older release may have published it
        connection.execute(misread, (workspace_id,))
    assert outlay_json("build", "--full", timeout=900)["status"] == "SUCCESS"
    assert mccs(workspace_id) == ["9999"]
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=1)), str(today)]
    told = outlay_json("backfill", *days, "--preview", timeout=900)["assets"]["silver/backfilled_days"]
    assert min(told["rows_gone"], told["rows_new"]) >= 1
    assert "transaction_events: " in told["differences"]
    dagster, before, began = Dagster(stack.dagster_url), followers(stack), time.time()
    with following(stack):
        until(lambda: looks(stack, since=began), what="the daemon has looked once", seconds=180)
        given = {"assetSelection": [{"path": ["silver", "backfilled_days"]}], "partitionNames": days}
        launched = asked(stack, BACKFILL, p=given)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        backfill = launched["backfillId"]
        (run,) = until(lambda: tagged(stack, "dagster/backfill", backfill), what="the days are made", seconds=180)
        *happened, ended = dagster.follow(run)
        assert ended.subject == "SUCCESS", [each for each in happened if not each.ok]
        (follower,) = until(lambda: followers(stack) - before, what="the days are followed", seconds=300)
        *_, followed = dagster.follow(follower)
    assert followed.subject == "SUCCESS"
    assert tagged(stack, "dagster/backfill", backfill) == {run}
    made = [each.figures for each in happened if each.subject == "silver/backfilled_days" and each.figures]
    assert len(made) == len(days)
    assert made[0]["rows_new"] == told["rows_new"], "what the preview said"
    assert mccs(workspace_id) == ["5411"]
    again = outlay_json("backfill", *days, timeout=900)["assets"]["silver/backfilled_days"]
    assert (again["rows_gone"], again["rows_new"], again["rows_written"]) == (0, 0, 0)


def mccs(workspace_id: UUID) -> list[str]:
    with session("dbt") as connection:
        rows = connection.execute("SELECT mcc FROM gold.fct_transactions WHERE workspace_id = %s", (workspace_id,))
        return [mcc for (mcc,) in rows]
