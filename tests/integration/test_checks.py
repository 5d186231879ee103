"""Each of dbt's checks, broken on purpose: it fails or warns as it should, and what it holds back is not built."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from ingestion import events
from orchestration.expectations import run_query
from orchestration.expectations.gold import DRIFT, EXPECTATIONS, rows_of
from tests.integration.warehouse import NOW, Warehouse, build, dbt, opened, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small]

SEEDS_BROKEN = """
    INSERT INTO reference.categories (category_id, parent_id, name, kind) VALUES
        ('food', NULL, 'Food again', 'spending'), (NULL, NULL, NULL, NULL), ('lost', 'nowhere', 'Lost', 'magic');
    INSERT INTO reference.category_aliases (alias, category_id) VALUES
        ('alimentation', 'food'), (NULL, NULL), ('lost', 'nowhere');
    INSERT INTO reference.mccs (mcc, description, category_id) VALUES
        ('0742', 'Vets', 'food'), (NULL, NULL, NULL), ('9999', 'Lost', 'nowhere');
    INSERT INTO reference.merchants (pattern, merchant, category_id) VALUES
        ('1und1', '1&1', 'food'), (NULL, NULL, NULL), ('lost', 'Lost', 'nowhere');
    INSERT INTO reference.currencies (currency, name, minor_units) VALUES
        ('EUR', 'Euro', 2), (NULL, NULL, NULL), ('QQQ', 'Lost', 7);
"""


@pytest.fixture(scope="module")
def warehouse(stack, tmp_path_factory) -> Iterator[Warehouse]:
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        warehouse.publish(purchase(), purchase(category_id="nowhere"))
        build()
        yield warehouse


def outcomes(*arguments: str) -> dict[str, Any]:
    """Test, seed or model -> what dbt says of it."""
    results = dbt(*arguments).result.results
    return {result.node.name: result for result in results if result.node.resource_type != "operation"}


def test_each_check_of_the_seeds_fails_and_what_reads_them_is_not_built(warehouse):
    assert {result.status for result in outcomes("test", "--select", "resource_type:seed").values()} == {"pass"}
    warehouse.connection.execute(SEEDS_BROKEN)
    found = outcomes("build", "--exclude-resource-type", "unit_test")
    seeds = {"categories", "category_aliases", "mccs", "merchants", "currencies"}
    of_seeds = {n: r for n, r in found.items() if n.split("_")[0] in ("unique", "not", "relationships", "accepted")}
    assert len(of_seeds) == 22
    assert {name: (r.status, r.failures) for name, r in of_seeds.items()} == dict.fromkeys(of_seeds, ("fail", 1))
    assert {found[seed].status for seed in seeds} == {"success"}
    assert {found[model].status for model in ("dim_category", "dim_currency", "fct_transactions")} == {"skipped"}
    build("--full-refresh", "--select", "resource_type:seed")
    build()


def test_each_check_of_the_facts_fails_or_warns(warehouse):
    names = ("facts_sum_to_their_transaction", "daily_spend_agrees_with_its_facts")
    names += ("facts_name_a_known_category", "facts_name_a_known_account")
    before = {name: outcome.status for name, outcome in outcomes("test", "--select", *names).items()}
    assert before == dict(zip(names, ("pass", "pass", "warn", "warn"), strict=True))
    spoilt = warehouse.connection.execute(
        "UPDATE gold.fct_transactions SET amount = amount + 1 WHERE category_id = 'nowhere' RETURNING amount"
    ).fetchall()
    assert spoilt == [(Decimal("5.5000"),)]
    after = outcomes("test", "--select", *names)
    assert {name: (after[name].status, after[name].failures) for name in names} == {
        names[0]: ("fail", 1),
        names[1]: ("fail", 1),
        names[2]: ("warn", 1),
        names[3]: ("warn", 1),
    }


def test_a_week_that_is_far_from_the_half_year_before_it_is_named(warehouse):
    own, monday = uuid4(), date(2025, 1, 6)
    state = {"name": "Home", "currency": "EUR", "time_zone": None}
    by = {"occurred_at": NOW, "recorded_at": NOW, "source": "app"}
    warehouse.publish(
        events.entity(entity="workspace", entity_id=own, state=state, workspace_id=own, **by), topic="user"
    )
    days = [monday + timedelta(weeks=week, days=day) for week in range(21) for day in range(5)]
    batch = warehouse.publish(*(purchase(workspace_id=own, occurred_on=day, amount=Decimal(10)) for day in days))
    build()
    assert _drift(batch) == []
    last_whole = monday + timedelta(weeks=19)
    more = [purchase(workspace_id=own, occurred_on=last_whole + timedelta(days=n % 7)) for n in range(60)]
    batch = warehouse.publish(*more)
    build()
    assert _drift(batch) == [
        "drift: expect_column_values_to_be_null(transactions_drift): 1 of 1, such as"
        f" workspace {own}: 65 entries in the week of 2025-05-19, usually 5",
        "drift: expect_column_values_to_be_null(spending_drift): 1 of 1, such as"
        f" workspace {own}: 320.00 spent in the week of 2025-05-19, usually 50.00",
    ]


def _drift(batch: int) -> list[str]:
    return run_query(DRIFT, rows_of(DRIFT, since=batch - 1, upto=batch), EXPECTATIONS[DRIFT], "dbt").failures()
