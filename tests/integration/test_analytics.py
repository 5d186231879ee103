"""The figures of a month are what the next build will say: what is newer than the warehouse counts, and counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from ingestion import events
from outlay.api import app
from outlay.db import session
from outlay.ledger import clock
from outlay.ledger.queries import NotBuilt, dashboard, spending
from outlay.ledger.queries.spending import Spending
from outlay.ledger.workspaces import Workspace
from outlay.settings import settings
from tests.integration.warehouse import (
    ACCOUNT,
    NOW,
    OTHER_WORKSPACE,
    WORKSPACE,
    Warehouse,
    amended,
    build,
    dbt,
    opened,
    purchase,
)

pytestmark = [pytest.mark.integration, pytest.mark.small]

HOME = Workspace(WORKSPACE, "Home", "EUR", "Europe/Berlin")
PURSE = UUID(int=4)
TODAY = date(2026, 5, 20)
MAY, APRIL, MAY_BEFORE = date(2026, 5, 1), date(2026, 4, 1), date(2025, 5, 1)
RATES = {day: {"USD": "1.25", "JPY": "160"} for day in (date(2026, 5, 4), date(2026, 4, 29), date(2025, 5, 5))}


def thing(entity: str, entity_id: UUID, **state: object) -> dict:
    return events.entity(
        entity=entity,
        entity_id=entity_id,
        workspace_id=WORKSPACE,
        state=state,
        source="app",
        occurred_at=NOW,
        recorded_at=NOW,
    )


def bought(day: int, amount: str = "10.00", *, month: date = MAY, **fields: object) -> dict:
    return purchase(occurred_on=month.replace(day=day), amount=Decimal(f"{amount}00"), **fields)


def part(amount: str, category_id: str) -> dict:
    return {"line_id": uuid4(), "amount": Decimal(f"{amount}00"), "category_id": category_id, "note": None}


@pytest.fixture(scope="module")
def member() -> dict[str, UUID]:
    return {}


@pytest.fixture(scope="module")
def warehouse(stack, tmp_path_factory, member) -> Iterator[Warehouse]:
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        member["id"] = warehouse.admit(WORKSPACE)
        yield warehouse


@pytest.fixture
def read(warehouse, member) -> Callable[..., Spending]:
    """The figures of a month, as a member of the workspace sees them."""

    def figures(month: date = MAY, *, merchants: int = 10) -> Spending:
        with session("app", workspace_id=WORKSPACE, user_id=member["id"]) as connection:
            return spending.of_month(connection, HOME, month, today=TODAY, merchants=merchants)

    return figures


FIRST = {
    "stays": bought(2, "20.00", merchant="Grocer"),
    "moves": bought(3, "30.00", merchant="Cafe", category_id="food.coffee"),
    "is voided": bought(4, "40.00", merchant="Grocer"),
    "comes back": bought(5, "50.00", merchant="Kiosk"),
    "is split": bought(6, "60.00", merchant="Market"),
    "is of several": bought(7, "70.00", lines=[part("50.00", "food.groceries"), part("20.00", "household")]),
    "is not of spending": bought(8, "80.00", merchant="Friend"),
    "changes its currency": bought(9, "90.00", merchant="Hotel"),
    "gets a rate": bought(10, "1000.00", currency="IRR", merchant="Bazaar"),
    "loses its rate": bought(11, "16.00", merchant="Bazaar"),
    "comes from another year": bought(12, "12.00", month=MAY_BEFORE, merchant="Grocer"),
    "late in the month before": bought(28, "28.00", month=APRIL, merchant="Grocer"),
    "early in the month before": bought(2, "2.00", month=APRIL, merchant="Grocer"),
    "of another account": bought(13, "13.00", account_id=PURSE, merchant="Kiosk"),
    "abroad": bought(5, "100.00", currency="USD", merchant="Diner", category_id="food.restaurants"),
    "is of nobody": bought(14, "14.00", merchant=None, category_id=None),
}


def changed(label: str, **fields: object) -> dict:
    return amended(FIRST[label], **fields)


def several(lines: list[dict]) -> dict:
    return {"lines": lines, "category_id": None}


NEWER = [
    changed("moves", occurred_on=APRIL.replace(day=3), category_id="food.groceries"),
    changed("is voided", operation="voided"),
    changed("is split", **several([part("45.00", "food.groceries"), part("15.00", "household")])),
    changed("is of several", **several([part("10.00", "leisure"), part("60.00", "household")])),
    changed("is not of spending", kind="transfer"),
    changed("changes its currency", currency="USD", occurred_on=date(2026, 5, 6)),
    changed("gets a rate", currency="JPY", occurred_on=date(2026, 5, 6), amount=Decimal("1001.0000")),
    changed("loses its rate", currency="IRR"),
    changed("comes from another year", occurred_on=date(2024, 5, 12)),
    changed("of another account", account_id=ACCOUNT, merchant="Newcomer"),
    bought(15, "15.00", merchant="Newcomer", category_id="leisure"),
    bought(21, "-7.77", kind="refund", merchant="Grocer"),
    bought(30, "33.33", month=APRIL, currency="USD", merchant="Diner"),
    bought(6, "6.00", month=MAY_BEFORE, account_id=PURSE, merchant=None),
    bought(6, "-600.00", month=APRIL, kind="income", merchant="Employer"),
]


def as_the_build_will_say(told: Spending, built: Spending) -> Spending:
    return replace(told, built_at=built.built_at, newer=0)


@pytest.fixture(scope="module")
def filled(warehouse) -> Warehouse:
    warehouse.rates(RATES)
    state = {"name": "Home", "currency": "EUR", "time_zone": None}
    warehouse.publish(thing("workspace", WORKSPACE, **state), topic="user")
    again = amended(FIRST["comes back"], operation="voided")
    warehouse.publish(*FIRST.values(), again)
    build()
    return warehouse


def test_before_the_first_build_there_are_no_figures(warehouse, read):
    with pytest.raises(NotBuilt, match="outlay build"):
        read()


def test_the_figures_of_a_month_are_the_warehouse_s(filled, read):
    """Each of them worked out by hand."""
    may = read()
    assert (may.month, may.currency, may.day, may.newer, may.includes_newer) == (MAY, "EUR", 20, 0, True)
    spent = 20 + 30 + 40 + 60 + 70 + 80 + 90 + 16 + 13 + 80 + 14
    assert may.spent == spent
    assert (may.before.month, may.before.spent, may.before.to_day) == (APRIL, 30, 2)
    assert (may.year_before.month, may.year_before.spent, may.year_before.to_day) == (MAY_BEFORE, 12, 12)
    assert [(entry.month, entry.spent) for entry in may.trend][-3:] == [
        (date(2026, 3, 1), 0),
        (APRIL, 30),
        (MAY, spent),
    ]
    assert len(may.trend) == 12
    categories = {each.category_id: (each.spent, each.before, each.year_before) for each in may.categories}
    assert categories == {
        "food.groceries": (20 + 40 + 60 + 50 + 80 + 90 + 16 + 13, 2, 12),
        "food.restaurants": (80, 0, 0),
        "food.coffee": (30, 0, 0),
        "household": (20, 0, 0),
        "uncategorised": (14, 0, 0),
    }
    assert [each.spent for each in may.categories] == sorted((each.spent for each in may.categories), reverse=True)
    assert {each.category_id: each.path for each in may.categories}["food.coffee"].endswith(" › Coffee and bakery")
    merchants = [(each.merchant, each.spent, each.purchases) for each in may.merchants]
    assert merchants[:3] == [("Hotel", 90, 1), ("Diner", 80, 1), ("Friend", 80, 1)]
    assert ("Grocer", 60, 2) in merchants
    assert {each.account_id: each.spent for each in may.accounts} == {ACCOUNT: spent - 13, PURSE: 13}
    assert [(each.member_id, each.spent) for each in may.members] == [(None, spent)]
    currencies = [(c.currency, c.purchases, c.not_converted, c.purchases_not_converted) for c in may.currencies]
    assert currencies == [("EUR", 10, 0, 0), ("IRR", 1, 1000, 1), ("USD", 1, 0, 0)]


def test_another_workspace_s_member_sees_nothing_of_it(filled):
    stranger = filled.admit(OTHER_WORKSPACE)
    with session("app", workspace_id=WORKSPACE, user_id=stranger) as connection:
        seen = spending.of_month(connection, HOME, MAY, today=TODAY)
    assert (seen.spent, seen.categories, seen.merchants, seen.accounts, seen.currencies) == (0, [], [], [], [])


def test_what_is_newer_counts_as_the_next_build_will_count_it(filled, read, monkeypatch):
    """Whatever has happened to an expense since: in each of the months concerned, before, amid and after a build."""
    months = (MAY, APRIL, MAY_BEFORE, date(2026, 6, 1), date(2024, 5, 1))
    old = {month: read(month) for month in months}
    restored = amended(FIRST["comes back"], version=3, operation="restored")
    filled.publish(*NEWER, restored, amended(restored, amount=Decimal("55.5000")))
    told = {month: read(month) for month in months}
    few = {size: read(merchants=size).merchants for size in (1, 2, 3)}
    assert {(figures.newer, figures.includes_newer) for figures in told.values()} == {(len(NEWER) + 1, True)}
    assert [month for month in months if told[month].spent == old[month].spent] == [date(2026, 6, 1)]
    monkeypatch.setattr(dashboard, "NEWER_AT_MOST", 3)
    assert {month: replace(read(month), newer=0) for month in months} == {
        month: replace(old[month], newer=0, includes_newer=False) for month in months
    }
    monkeypatch.undo()
    assert dbt("run", "--select", "+fct_transactions").success, "its sums are made after it"
    amid = {month: read(month) for month in months}
    assert {figures.newer for figures in amid.values()} == {0}
    build()
    built = {month: read(month) for month in months}
    for month in months:
        assert as_the_build_will_say(told[month], built[month]) == built[month]
        assert as_the_build_will_say(amid[month], built[month]) == built[month]
    assert few == {size: read(merchants=size).merchants for size in (1, 2, 3)}
    with session("operator", workspace_id=WORKSPACE) as connection:
        page = {entry.month: entry.spent for entry in dashboard.months(connection)}
    assert {month: page.get(month, 0) for month in months} == {month: built[month].spent for month in months}


def test_programs_read_them_as_decimal_strings(filled, read):
    headers = {
        "Authorization": f"Bearer {settings().api_token.get_secret_value()}",
        "X-Outlay-Workspace": str(WORKSPACE),
    }
    with TestClient(app.create(), headers=headers) as client:
        answer = client.get("/analytics/dashboard", params={"month": "2026-04", "merchants": 1})
        assert answer.status_code == 200, answer.text
        told, april = answer.json(), read(APRIL)
        assert (told["month"], told["day"], told["spent"]) == ("2026-04", 31, format(april.spent, "f"))
        assert [each["merchant"] for each in told["merchants"]] == [april.merchants[0].merchant]
        assert told["trend"][-1] == {"month": "2026-04", "spent": told["spent"]}
        for wrong in ({"month": "2026-4"}, {"month": "2026-13"}, {"merchants": 0}, {"merchants": 101}):
            assert client.get("/analytics/dashboard", params=wrong).status_code == 422, wrong
        assert client.get("/analytics/dashboard").json()["month"] == f"{clock.today(HOME):%Y-%m}"
