"""What Dagster asks for by itself beside builds, in the real graph: all that has to follow, once, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from ingestion.contracts import TOPICS
from orchestration.automation.jobs import land_job
from orchestration.batches.publish import TABLES
from tests.support import PROJECT
from tests.unit import graph as real
from tests.unit.graph import Graph

BATCHES = {f"silver/{topic}_batch" for topic in TOPICS}
PUBLISHED = {
    f"silver/{table}" for table in ("batches", *(name for parts in TABLES.values() for name in parts.values()))
}
LANDED = {f"bronze/{topic}" for topic in TOPICS}
NEVER = {"quality/data_docs", "quality/builds", "silver/corrections", "silver/merged_days", "silver/backfilled_days"}
"""What is made of other assets too, and is asked for by a sensor, by the clock or by people."""
BY_ITSELF = ("build_hourly", "maintain_nightly", "unlanded_events", "unshown_results", "follow")

STATUSES = """
import json
from orchestration.definitions import defs
repository = defs.get_repository_def()
found = [*repository.sensor_defs, *repository.schedule_defs]
print(json.dumps({each.name: each.default_status.value for each in found}))
"""


@pytest.fixture
def graph() -> Iterator[Graph]:
    """Nothing was made yet, and the daemon has looked once."""
    with DagsterInstance.ephemeral() as instance:
        graph = Graph(instance)
        assert graph.tick() == set()
        yield graph


@pytest.fixture
def built(graph: Graph) -> Graph:
    """After a build."""
    assert graph.build()
    return graph


def below(*keys: str) -> set[str]:
    """What is to follow these."""
    return real.below(*keys) - NEVER


def test_nothing_follows_a_build_whether_or_not_the_daemon_looks_in_between(built):
    assert built.tick() == set()
    assert built.build()
    assert built.make(LANDED)
    assert built.build()
    assert built.tick() == set()


def test_a_landing_is_followed_by_all_four_batches_and_all_that_is_made_of_them_at_once(built):
    assert built.make({"bronze/transaction"})  # the daemon has not looked since the build
    asked = built.tick()
    assert asked == BATCHES | below(*BATCHES)
    assert built.tick() == set()  # it was asked for, and waits in the queue
    assert built.make(asked)
    assert built.tick() == set()
    assert built.build(land_job.name)
    assert built.tick() == asked


def test_rates_are_followed_by_every_table_that_follows_batches_and_not_again_by_what_was_made_in_the_same_run(built):
    every = PUBLISHED | below("silver/fx_rates", *PUBLISHED)
    assert {"reference/fx_rates", "intermediate/int_transactions_current", "gold/fct_transactions"} <= every
    assert not every & {"silver/transaction_batch", "reference/currencies", "gold/dim_date"}
    assert built.make({"silver/fx_rates"})
    assert built.tick() == every
    assert built.make({"silver/fx_rates", *every})
    assert built.tick() == set()


def test_a_model_made_alone_is_followed_by_what_reads_it(built):
    assert built.make({"gold/fct_daily_spend"})
    assert built.tick() == {"gold/fct_budget_months"}
    assert built.make({"gold/fct_daily_spend", "gold/fct_budget_months"})
    assert built.tick() == set()


def test_what_is_made_alone_while_its_follower_runs_is_followed_once_more(built):
    assert built.make({"silver/fx_rates"})
    asked = built.tick()
    run = built.wait(asked, status=DagsterRunStatus.STARTED)
    assert built.make({"silver/fx_rates"})
    assert built.tick() == set()  # the run may have read the rates before
    built.instance.report_run_canceled(run)
    assert built.tick() == asked
    assert built.tick() == set()


@pytest.mark.parametrize("status", [DagsterRunStatus.QUEUED, DagsterRunStatus.STARTED])
def test_while_a_build_waits_or_runs_nothing_is_asked_for(built, status):
    build = built.wait(status=status)
    assert built.make({"bronze/transaction"})
    assert built.tick() == set()
    built.instance.report_run_canceled(build)
    assert built.tick() == BATCHES  # its tables wait: their audits are those of the build that was stopped
    assert built.make(BATCHES)
    assert built.tick() == below(*BATCHES)


def test_a_request_whose_run_waits_or_fails_is_not_made_again(built):
    assert built.make({"silver/fx_rates"})
    run = built.wait(built.tick(), status=DagsterRunStatus.QUEUED)
    assert built.tick() == set()
    built.instance.report_run_failed(run)
    assert built.tick() == set()


def test_before_the_first_build_nothing_follows_a_landing(graph):
    assert graph.make(LANDED)
    assert graph.tick() == set()
    assert graph.build()
    assert graph.tick() == set()


def test_a_build_that_a_check_has_stopped_is_not_taken_up_by_pieces(built):
    built.failing = {"silver/transaction_batch"}
    assert not built.build()
    assert built.tick() == set()


def test_a_batch_that_failed_its_audit_is_not_published_and_is_when_it_holds(built):
    built.failing = {"silver/transaction_batch"}
    built.make({"silver/transaction_batch"})
    assert built.tick() == set()
    built.failing = set()
    assert built.make({"silver/transaction_batch"})
    assert built.tick() == below(*BATCHES)


def test_models_and_seeds_that_were_changed_are_made_again_with_all_that_reads_them(built):
    assert built.tick() == set()
    built.changed = frozenset({"gold/dim_merchant", "reference/categories"})
    assert built.tick() == built.changed | below(*built.changed)
    assert built.tick() == set()


def test_a_change_that_a_build_has_taken_up_is_not_made_again(built):
    assert built.tick() == set()
    built.changed = frozenset({"gold/dim_merchant"})
    build = built.wait(status=DagsterRunStatus.QUEUED)
    assert built.tick() == set()
    built.instance.report_run_canceled(build)
    assert built.build()
    assert built.tick() == set()


def test_everything_that_is_made_of_something_has_a_condition_or_a_reason(graph):
    from orchestration.definitions import defs

    given = defs.resolve_asset_graph()
    conditions = {key.to_user_string(): given.get(key).automation_condition for key in given.materializable_asset_keys}
    without = {key for key, condition in conditions.items() if condition is None}
    assert without == LANDED | {"silver/fx_rates", "silver/releases"} | NEVER
    labels = {condition.get_label() for condition in conditions.values() if condition}
    assert labels == {"follows_a_landing", "follows_an_audit", "follows_or_changed"}
    assert all(condition.is_serializable for condition in conditions.values() if condition)  # the daemon evaluates it


@pytest.mark.parametrize(("auto_build", "expected"), [("true", "RUNNING"), ("false", "STOPPED")])
def test_whether_anything_starts_by_itself_is_one_setting(auto_build, expected):
    given = {**os.environ, "OUTLAY_AUTO_BUILD": auto_build}
    for name in ("OUTLAY_SMTP_URL", "OUTLAY_FAILURE_MAIL_TO"):
        given.pop(name, None)
    command = [sys.executable, "-W", "ignore", "-c", STATUSES]
    done = subprocess.run(command, cwd=PROJECT, env=given, capture_output=True, text=True, check=True)
    statuses = json.loads(done.stdout)
    assert statuses.pop("failed_runs") == "STOPPED"  # it starts no run, and nobody is to be mailed
    assert statuses == dict.fromkeys(BY_ITSELF, expected)
