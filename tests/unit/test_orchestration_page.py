"""The page on orchestration names every job, schedule, sensor, pool and condition, and says of each what is so."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from dagster import Definitions

from orchestration import retries
from orchestration.automation.freshness import READ_BY_PEOPLE
from orchestration.figures.builds import SHOWN
from orchestration.figures.rows import COUNTED
from outlay.stack.services.dagster import RUNS
from tests.support import PROJECT

PAGE = (PROJECT / "docs" / "orchestration.md").read_text()


@pytest.fixture(scope="module")
def defs() -> Definitions:
    from orchestration.definitions import defs

    return defs


CRON = {"0 * * * *": "every hour on the hour, UTC", "30 3 * * *": "03:30 at night, UTC"}


def table(first: str) -> dict[str, list[str]]:
    """The rows of the table whose first column is headed `first`: its first cell to the others."""
    (found,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|\n ").split(" | ")] for line in found.splitlines()]
    return {name.strip("`"): others for name, *others in rows}


def pools_by_job(defs: Definitions) -> dict[str, set[str]]:
    jobs = {job.name: job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    return {name: {node.definition.pool for node in job.nodes} - {None} for name, job in jobs.items()}


def test_it_names_every_job_with_its_pools(defs):
    said = {job: set(re.findall(r"`(\w+)`", pools)) for job, (_, pools) in table("job").items()}
    assert said == pools_by_job(defs)


def test_it_names_every_schedule_and_sensor_and_how_often_it_looks(defs):
    said = {name: looks for name, (_, looks, _) in table("name").items()}
    sensors = {sensor.name: f"every {sensor.minimum_interval_seconds} s" for sensor in defs.sensors}
    assert {schedule.execution_timezone for schedule in defs.schedules} == {"UTC"}
    assert said == sensors | {schedule.name: CRON[schedule.cron_schedule] for schedule in defs.schedules}


def test_it_names_every_pool_with_the_groups_of_its_assets(defs):
    graph = defs.resolve_asset_graph()
    groups: dict[str, set[str]] = {}
    for node in map(graph.get, graph.get_all_asset_keys()):
        for pool in (node.pools or {"none"}) if node.is_executable else ():
            groups.setdefault(pool, set()).add(node.group_name)
    assert {pool: set(of.split(", ")) for pool, (of, _) in table("pool").items()} == groups


def test_it_names_every_condition(defs):
    graph = defs.resolve_asset_graph()
    conditions = [graph.get(key).automation_condition for key in graph.get_all_asset_keys()]
    assert table("condition").keys() == {condition.get_label() for condition in conditions if condition}


def test_its_numbers_are_those_of_the_code():
    policy = READ_BY_PEOPLE
    assert (policy.warn_window.to_timedelta(), policy.fail_window.to_timedelta()) == (
        timedelta(hours=2),
        timedelta(hours=3),
    )
    assert (retries.ATTEMPTS, retries.PAUSE, RUNS) == (4, 5, 2)
    for said in (
        "no older than two hours: Dagster warns then, and after three hours",
        "four more times, five seconds apart",
        "Two runs go on at once",
        f"counted up to {COUNTED:,},",
        f"the last {SHOWN} builds",
    ):
        assert said in PAGE, said
