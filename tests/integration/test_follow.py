"""What was made alone is followed, by the daemon itself: a landing comes to gold without a build."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    chosen = {"tags": [{"key": LAUNCHED_BY, "value": "condition"}]}
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
