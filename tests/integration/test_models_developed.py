"""A developer's target builds beside the running warehouse: it follows it, and cannot change it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.defs.gold.project import DBT_PROJECT, target
from outlay.db import session
from outlay.settings import settings
from outlay.stack.environment import dbt_variables, development_variables
from tests.integration.warehouse import Warehouse, build, dbt, opened, purchase
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]

MINE = "dev_ada"


@pytest.fixture
def warehouse(stack, tmp_path) -> Iterator[Warehouse]:
    with opened(stack, tmp_path) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def running(stack, tmp_path_factory) -> Iterator[Warehouse]:
    """A warehouse that was built, of one purchase of 7, for tests that leave it as it is."""
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        built(warehouse, purchase(amount=Decimal(7)))
        yield warehouse


def built(warehouse: Warehouse, *events: dict) -> None:
    """Publish and build the running warehouse, whose manifest is kept as that of its last build."""
    warehouse.publish(*events)
    build()
    _last().mkdir(exist_ok=True)
    shutil.copy(target() / "test" / "manifest.json", _last())


def developed(*arguments: str) -> Any:
    """``dbt`` in a developer's target, deferring to the running warehouse."""
    return dbt(*arguments, variables=development_variables(settings(), MINE) | {"DBT_STATE": str(_last())})


def _last() -> Path:
    """Not that of the stack itself, whose developers go on with theirs."""
    return target() / "test" / "last"


def test_a_model_of_a_developer_follows_the_running_warehouse_batch_by_batch(warehouse):
    built(warehouse, purchase(amount=Decimal(7)))
    assert developed("build", "--select", "fct_daily_spend").success
    warehouse.publish(purchase(amount=Decimal(5)))
    assert developed("build", "--select", "fct_daily_spend").success
    assert _spent(warehouse, MINE) == [(Decimal(7),)], "the facts it reads have not come that far"
    build()
    assert developed("build", "--select", "fct_daily_spend").success
    assert _spent(warehouse, MINE) == _spent(warehouse, "gold") == [(Decimal(12),)]
    query = f"SELECT since, upto, full_refresh FROM {MINE}.model_runs ORDER BY finished_at"  # noqa: S608
    assert warehouse.rows(query) == [(0, 1, True), (1, 1, False), (1, 2, False)]


def test_a_table_made_anew_in_the_running_warehouse_makes_a_developers_anew(warehouse):
    built(warehouse, purchase(amount=Decimal(7)))
    assert developed("build", "--select", "fct_daily_spend").success
    build("--full-refresh")
    assert developed("build", "--select", "fct_daily_spend").success
    query = f"SELECT full_refresh FROM {MINE}.model_runs ORDER BY finished_at"  # noqa: S608
    assert warehouse.rows(query) == [(True,), (True,)]


def test_a_developers_build_looks_at_nothing_before_it_holds_the_tables_that_it_reads(warehouse):
    """Its transaction sees everything as at its first look: a table that is swapped in afterwards would be empty."""
    built(warehouse, purchase(amount=Decimal(7)))
    waiting = "SELECT query FROM pg_stat_activity WHERE usename = 'outlay_dev' AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as threads:
        with warehouse.connection.transaction():
            warehouse.connection.execute("LOCK TABLE gold.fct_transactions IN ACCESS EXCLUSIVE MODE")  # as a swap does
            build = threads.submit(developed, "build", "--select", "fct_daily_spend")
            with session("owner", autocommit=True) as looking:
                ((statement,),) = until(lambda: looking.execute(waiting).fetchall(), what="the build waits")
            assert "in access share mode" in statement
            warehouse.connection.execute("UPDATE gold.fct_transactions SET amount = 9")
        build.result()
    assert _spent(warehouse, MINE) == [(Decimal(9),)]


@pytest.mark.parametrize("part", ["--empty", "--sample=3 days"])
def test_no_part_takes_the_place_of_the_running_warehouse(running, part):
    done = dbt("build", "--select", "fct_daily_spend", part)
    assert not done.success
    assert 'would put a part in the place of the running warehouse: run `eval "$(outlay env --dev)"` first' in str(
        done.exception or [result.message for result in done.result.results]
    )
    assert _spent(running, "gold") == [(Decimal(7),)]


def test_a_developers_role_changes_nothing_of_the_running_warehouse(running):
    with session("dev", autocommit=True) as connection:
        relations = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^dev_'"
        ).fetchall()
        assert ("gold.fct_transactions",) in relations
        for (relation,) in relations:
            for statement in ("DELETE FROM", "TRUNCATE", "DROP TABLE"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"{statement} {relation}")
        for schema in ("live", "bronze", "silver", "reference", "staging", "intermediate", "gold", "public"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"CREATE TABLE {schema}.mine ()")
        assert connection.execute("SELECT count(*) FROM gold.fct_transactions").fetchone() == (1,)


def test_nobody_else_reads_what_a_developer_makes(running):
    assert developed("build", "--select", "fct_daily_spend", "workspace_categories").success
    granted = """
        SELECT c.relname, role
        FROM pg_class AS c, unnest(ARRAY['outlay_app', 'outlay_pipeline', 'outlay_projector']) AS role
        WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'v')
        AND has_table_privilege(role, c.oid, 'SELECT')
    """
    made = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'v')"
    relations = {"fct_daily_spend", "workspace_categories", "progress", "model_runs"}
    assert {name for (name,) in running.rows(made, MINE)} == relations
    assert running.rows(granted, MINE) == []
    assert running.rows(granted.replace("outlay_projector", "outlay_dev"), "gold"), "such a question has answers"


def test_a_schema_by_the_name_of_another_role_is_not_searched_by_it(running):
    """Its functions would run with that role's rights: the builds' locks hash a text, as this one claims to."""
    with session("dev", autocommit=True) as connection:
        for role in ("outlay_dbt", "outlay_pipeline", "outlay_owner"):
            connection.execute(f"CREATE SCHEMA {role}")
            connection.execute(f"GRANT USAGE ON SCHEMA {role} TO PUBLIC")
            connection.execute(
                f"CREATE FUNCTION {role}.hashtextextended(text, integer) RETURNS bigint LANGUAGE sql RETURN 4711"
            )
    for role in ("dbt", "pipeline", "owner"):
        with session(role, autocommit=True) as connection:
            assert connection.execute("SELECT hashtextextended('a', 0) <> 4711").fetchone() == (True,)


def test_a_developers_target_has_no_schema_of_the_running_warehouse(running):
    done = _ran("dbt", "run-operation", "drop_development", OUTLAY_DBT_TARGET="dev", OUTLAY_DBT_SCHEMA="gold")
    assert done.returncode != 0
    assert "the schema of the target dev begins with dev_, not gold" in done.stdout
    assert _spent(running, "gold") == [(Decimal(7),)]


def test_all_sql_of_the_project_is_in_the_style_of_its_configuration(running):
    done = _ran("sqlfluff", "lint", "--nocolor", "models", "tests")
    assert done.returncode == 0, done.stdout + done.stderr


def _ran(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A program of the environment, in the dbt project, as the role that owns the running warehouse."""
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=DBT_PROJECT,
        env={**os.environ, **dbt_variables(settings()), **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def _spent(warehouse: Warehouse, schema: str) -> list[tuple]:
    return warehouse.rows(f"SELECT amount FROM {schema}.fct_daily_spend")  # noqa: S608
