"""Amounts in the workspace's currency: by the rate of the day, and anew when a rate or that currency comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from ingestion import events
from outlay.db import session
from tests.integration.warehouse import NOW, Warehouse, amended, build, opened, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small]

FRIDAY = date(2026, 1, 2)
RATES = {
    FRIDAY: {"USD": "1.25", "JPY": "160", "CHF": "0.92"},
    FRIDAY + timedelta(days=3): {"USD": "2"},
}
MONDAY = FRIDAY + timedelta(days=3)
NOT_CONVERTED = (None, None, None)
CASES = {
    # day, amount, from, to: converted, rate, day of the rate
    "same currency, nothing rounded": (FRIDAY, "1.2345", "USD", "USD", ("1.2345", "1", FRIDAY)),
    "from the euro": (FRIDAY, "10.00", "EUR", "USD", ("12.50", "1.25", FRIDAY)),
    "to the euro": (FRIDAY, "10.00", "USD", "EUR", ("8.00", "0.8", FRIDAY)),
    "across": (FRIDAY, "1.00", "USD", "JPY", ("128", "128", FRIDAY)),
    "with twelve decimals": (FRIDAY, "100.00", "CHF", "EUR", ("108.70", "1.086956521739", FRIDAY)),
    "a weekend takes Friday's": (FRIDAY + timedelta(days=2), "10.00", "EUR", "USD", ("12.50", "1.25", FRIDAY)),
    "Monday has its own": (MONDAY, "10", "EUR", "USD", ("20.00", "2", MONDAY)),
    "seven days later it still holds": (FRIDAY + timedelta(days=7), "1", "EUR", "JPY", ("160", "160", FRIDAY)),
    "eight days later it does not": (FRIDAY + timedelta(days=8), "1", "EUR", "JPY", NOT_CONVERTED),
    "before the first rate": (FRIDAY - timedelta(days=1), "1", "EUR", "USD", NOT_CONVERTED),
    "no such rate": (FRIDAY, "1", "XAF", "EUR", NOT_CONVERTED),
    "no workspace currency": (FRIDAY, "1", "EUR", None, NOT_CONVERTED),
    "a workspace currency that is none": (FRIDAY, "1", "EUR", "XXA", NOT_CONVERTED),
    "half to even, down": (FRIDAY, "0.1000", "EUR", "USD", ("0.12", "1.25", FRIDAY)),  # 0.125
    "half to even, up": (FRIDAY, "0.3000", "EUR", "USD", ("0.38", "1.25", FRIDAY)),  # 0.375
    "half to even of a refund": (FRIDAY, "-0.1000", "EUR", "USD", ("-0.12", "1.25", FRIDAY)),
    "no minor units": (FRIDAY, "0.0531", "EUR", "JPY", ("8", "160", FRIDAY)),  # 8.496
    "more than an amount can hold": (FRIDAY, "99999999999999", "EUR", "JPY", NOT_CONVERTED),
}


@pytest.fixture(scope="module")
def warehouse(stack, tmp_path_factory) -> Iterator[Warehouse]:
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        yield warehouse


def workspace(workspace_id: UUID, currency: str, version: int = 1) -> dict:
    state = {"name": "Home", "currency": currency, "time_zone": None}
    return events.entity(
        entity="workspace",
        entity_id=workspace_id,
        workspace_id=workspace_id,
        state=state,
        version=version,
        operation="created" if version == 1 else "updated",
        source="app",
        occurred_at=NOW,
        recorded_at=NOW,
    )


def abroad(workspace_id: UUID, day: date, amount: str = "10.0000", currency: str = "USD") -> dict:
    kind = "refund" if amount.startswith("-") else "expense"
    return purchase(workspace_id=workspace_id, occurred_on=day, amount=Decimal(amount), currency=currency, kind=kind)


def converted(warehouse: Warehouse, workspace_id: UUID) -> list[tuple]:
    """(amount converted, not converted) of each day's spending, which is the sum of the facts'."""
    facts = warehouse.rows(
        "SELECT sum(amount_converted), sum(amount) FILTER (WHERE amount_converted IS NULL), occurred_on"
        " FROM gold.fct_transactions WHERE workspace_id = %s GROUP BY occurred_on ORDER BY occurred_on",
        workspace_id,
    )
    spent = warehouse.rows(
        "SELECT sum(amount_converted), sum(amount_not_converted), occurred_on"
        " FROM gold.fct_daily_spend WHERE workspace_id = %s GROUP BY occurred_on ORDER BY occurred_on",
        workspace_id,
    )
    assert spent == [(known or 0, unknown or 0, day) for known, unknown, day in facts]
    return [(known, unknown) for known, unknown, _ in facts]


def test_each_line_takes_the_rate_of_its_day_and_is_rounded_half_to_even(warehouse):
    warehouse.rates(RATES)
    places = {name: uuid4() for name in CASES}
    warehouse.publish(
        *(workspace(places[name], target) for name, (_, _, _, target, _) in CASES.items() if target), topic="user"
    )
    warehouse.publish(
        *(abroad(places[name], day, amount, currency) for name, (day, amount, currency, _, _) in CASES.items())
    )
    build()
    found = dict(
        (row[0], row[1:])
        for row in warehouse.rows(
            "SELECT workspace_id, amount_converted, fx_rate, fx_rate_on FROM gold.fct_transactions"
        )
    )
    assert {name: found[places[name]] for name in CASES} == {
        name: (amount and Decimal(amount), rate and Decimal(rate), day)
        for name, (_, _, _, _, (amount, rate, day)) in CASES.items()
    }


def test_what_a_page_converts_before_a_build_comes_to_what_the_build_makes_of_it(warehouse):
    """By the function that the build left behind, as the role that reads for people."""
    digits = dict(warehouse.rows("SELECT currency, minor_units FROM reference.currencies"))
    asked = [(*each[:4], digits.get(each[3])) for each in CASES.values()]
    with session("app") as connection:
        found = [
            connection.execute(
                "SELECT reference.converted(%(amount)s::numeric, %(paid)s, %(bought)s, %(digits)s, %(day)s)",
                {"day": day, "amount": amount, "paid": paid, "bought": bought, "digits": minor_units},
            ).fetchone()
            for day, amount, paid, bought, minor_units in asked
        ]
    assert dict(zip(CASES, found, strict=True)) == {
        name: (amount and Decimal(amount),) for name, (_, _, _, _, (amount, _, _)) in CASES.items()
    }


def test_a_rate_that_comes_later_converts_what_waited_for_it_and_a_corrected_one_converts_anew(warehouse):
    home, day = uuid4(), date(2026, 3, 6)
    warehouse.publish(workspace(home, "EUR"), topic="user")
    warehouse.publish(abroad(home, day), abroad(home, day + timedelta(days=1)), abroad(home, day - timedelta(days=1)))
    build()
    assert converted(warehouse, home) == [(None, Decimal(10))] * 3
    warehouse.rates({day: {"USD": "1.25"}})
    build()
    assert converted(warehouse, home) == [(None, Decimal(10)), (Decimal(8), None), (Decimal(8), None)]
    warehouse.rates({day: {"USD": "2"}})
    build()
    assert converted(warehouse, home) == [(None, Decimal(10)), (Decimal(5), None), (Decimal(5), None)]
    warehouse.rates({day + timedelta(days=1): {"USD": "4"}})
    build()
    assert converted(warehouse, home) == [(None, Decimal(10)), (Decimal(5), None), (Decimal("2.5"), None)]


def test_what_came_before_its_workspace_is_converted_when_the_workspace_comes(warehouse):
    late, day = uuid4(), date(2026, 4, 1)
    warehouse.rates({day: {"USD": "1.25"}})
    first = abroad(late, day)
    warehouse.publish(first, abroad(late, day, currency="EUR"))
    build()
    assert converted(warehouse, late) == [(None, Decimal(20))]
    warehouse.publish(workspace(late, "EUR"), topic="user")
    build()
    assert converted(warehouse, late) == [(Decimal(18), None)]
    warehouse.publish(amended(first, amount=Decimal("20.0000")))
    build()
    assert converted(warehouse, late) == [(Decimal(26), None)]


def test_a_workspace_that_takes_another_currency_has_all_its_past_converted_anew(warehouse):
    home, day = uuid4(), date(2026, 4, 8)
    warehouse.rates({day: {"USD": "1.25", "JPY": "160"}})
    warehouse.publish(workspace(home, "EUR"), topic="user")
    warehouse.publish(abroad(home, day), abroad(home, day + timedelta(days=40), currency="JPY"))
    build()
    assert converted(warehouse, home) == [(Decimal(8), None), (None, Decimal(10))]
    warehouse.publish(workspace(home, "JPY", version=2), topic="user")
    build()
    assert converted(warehouse, home) == [(Decimal(1280), None), (Decimal(10), None)]


def test_rates_of_one_day_cost_what_was_bought_abroad_in_the_week_after(warehouse):
    home, day = uuid4(), date(2020, 6, 1)
    warehouse.publish(workspace(home, "EUR"), topic="user")
    warehouse.publish(*(abroad(home, day + timedelta(days=n % 1000), currency="EUR") for n in range(3000)))
    warehouse.publish(abroad(home, day + timedelta(days=500)))
    build()
    others = (
        "JPY CZK DKK GBP HUF PLN RON SEK CHF ISK NOK TRY AUD BRL CAD CNY HKD IDR ILS INR KRW MXN NZD PHP SGD THB ZAR"
    )
    batch = warehouse.rates({day + timedelta(days=500): {"USD": "1.25", **dict.fromkeys(others.split(), "2")}})
    build()
    costs = warehouse.rows(
        "SELECT model, rows_read, rows_written FROM gold.model_runs WHERE upto = %s AND rows_read > 0", batch
    )
    assert {model for model, *_ in costs} == {
        *("fx_rates", "dim_currency", "int_reconversions", "fct_transactions", "fct_daily_spend"),
        "fct_budget_months",
    }
    of_purchases = [cost for cost in costs if cost[0] not in ("fx_rates", "dim_currency")]
    assert [cost for cost in of_purchases if not (0 < cost[1] <= 500 and cost[2] <= 10)] == []
    assert warehouse.rows(
        "SELECT amount_converted FROM gold.fct_transactions WHERE workspace_id = %s AND currency = 'USD'", home
    ) == [(Decimal(8),)]
