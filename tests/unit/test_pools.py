"""Runs that write the same layer take turns, those that do not may run at once: by pools, as Dagster reads them."""

from __future__ import annotations

import pytest
from dagster import DagsterInstance, Definitions
from dagster._core.instance.config import PoolGranularity
from dagster._core.instance.ref import InstanceRef

from orchestration import pools
from outlay.stack.services import dagster

POOL_OF_GROUP = {
    "bronze": None,  # a landing waits for the lock of the one before it
    "quarantine": None,  # changes, as those of the app
    "maintenance": None,  # a merging waits for the lock of the one before it
    "silver": pools.SILVER,
    "backfill": pools.SILVER,
    "reference": pools.WAREHOUSE,
    "staging": pools.WAREHOUSE,
    "intermediate": pools.WAREHOUSE,
    "gold": pools.WAREHOUSE,
    "quality": pools.QUALITY,
}


@pytest.fixture(scope="module")
def defs() -> Definitions:
    from orchestration.definitions import defs

    return defs


@pytest.fixture
def instance(tmp_path):
    """As `dagster.yaml` makes it, with SQLite in the place of the stack's PostgreSQL."""
    (tmp_path / "dagster.yaml").write_text(dagster.instance(str(tmp_path)))
    with DagsterInstance.from_ref(
        InstanceRef.from_dir(str(tmp_path), overrides={"storage": {"sqlite": {"base_dir": str(tmp_path)}}})
    ) as instance:
        yield instance


def test_each_asset_that_writes_a_layer_is_in_its_pool(defs):
    graph = defs.resolve_asset_graph()
    given = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if node.is_executable:
            given.setdefault(node.group_name, set()).update(node.pools or {None})
    assert given == {group: {pool} for group, pool in POOL_OF_GROUP.items()}


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("build", {pools.SILVER, pools.WAREHOUSE}),
        ("land", set()),
        ("data_docs", {pools.QUALITY}),
        ("maintenance", set()),
        ("backfill", {pools.SILVER}),
    ],
)
def test_a_run_holds_the_pools_of_all_its_assets_and_checks(defs, job, expected):
    with DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(defs.resolve_job_def(job))
    assert (run.run_op_concurrency.all_pools if run.run_op_concurrency else set()) == expected


def test_checks_wait_as_the_layer_does_that_they_look_at(defs):
    graph = defs.resolve_asset_graph()
    for key in graph.asset_check_keys:
        group = graph.get(key.asset_key).group_name
        assert graph.assets_def_for_key(key).op.pool == POOL_OF_GROUP[group], key


def test_dagster_gives_each_pool_to_one_run_until_it_ends_and_runs_two_at_once(instance):
    given = instance.get_concurrency_config()
    assert given.pool_config.pool_granularity is PoolGranularity.RUN
    assert given.pool_config.default_pool_limit == 1
    assert given.run_queue_config.max_concurrent_runs == dagster.RUNS == 2
    assert given.run_queue_config.should_block_op_concurrency_limited_runs


def test_every_run_is_one_process(defs):
    executors = {job.name: job.executor_def.name for job in defs.resolve_all_job_defs()}
    assert {"build", "land", "data_docs", "__ASSET_JOB"} <= executors.keys()
    assert set(executors.values()) == {"in_process"}
