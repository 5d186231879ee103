"""The dashboard's figures are gold's, to the cent, and say how far behind the list they are."""

from datetime import date
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from ingestion.events import owner_of
from outlay.api import process
from outlay.db import session
from outlay.ledger.commands import TransactionDraft
from outlay.ledger.queries import NotBuilt, dashboard
from tests.support import outlay_json

pytestmark = [pytest.mark.app, pytest.mark.timeout(900)]

SPENT = [
    (date(2026, 3, 2), "40.00", "EUR", "expense", "food.groceries", "Green grocer"),
    (date(2026, 3, 3), "10.05", "EUR", "expense", "food.coffee", "Corner cafe"),
    (date(2026, 3, 9), "-5.05", "EUR", "refund", "food.groceries", "Green grocer"),
    (date(2026, 3, 10), "-2000.00", "EUR", "income", "income.salary", "Employer"),
    (date(2026, 3, 11), "300.00", "EUR", "transfer", None, "Savings"),
    (date(2026, 3, 12), "7000.00", "IRR", "expense", "food.restaurants", "Bazaar"),
    (date(2026, 2, 2), "30.00", "EUR", "expense", "food.groceries", "Green grocer"),
    (date(2025, 3, 2), "90.00", "EUR", "expense", "food.groceries", "Green grocer"),
]


@pytest.fixture
def spent(household):
    """A few months of a household, recorded; its accounts by name."""
    with session("operator", workspace_id=household.workspace_id) as connection:
        accounts = dict(connection.execute("SELECT name, account_id FROM live.accounts").fetchall())
    for on, amount, currency, kind, category, merchant in SPENT:
        draft = TransactionDraft(
            account_id=accounts["Card"],
            occurred_on=on,
            amount=Decimal(amount),
            currency=currency,
            kind=kind,
            category_id=category,
            merchant=merchant,
        )
        by = {"workspace_id": household.workspace_id, "actor_id": owner_of(household.workspace_id), "source": "app"}
        assert process.ledger().record(draft, **by).decision == "accepted"
    return accounts


def built(household) -> bool:
    try:
        with session("operator", workspace_id=household.workspace_id) as connection:
            dashboard.as_of(connection)
    except NotBuilt:
        return False
    return True


def test_a_dashboard_without_figures_says_how_to_build_and_after_a_build_shows_them_by_itself(visit, household, spent):
    page = visit("")
    empty = "The warehouse has no spending of this workspace" if built(household) else "There are no figures yet"
    expect(page.get_by_text(empty)).to_be_visible()
    expect(page.get_by_text("outlay build")).to_be_visible()

    assert outlay_json("build")["status"] == "SUCCESS"
    page.reload()
    figures = page.get_by_test_id("stMetric")
    expect(figures.nth(0)).to_contain_text("Spent in March 2026")
    expect(figures.nth(0)).to_contain_text("45.00\u00a0EUR")
    expect(figures.nth(1)).to_contain_text("+50.0 %")
    expect(figures.nth(1)).to_contain_text("30.00\u00a0EUR")
    expect(figures.nth(2)).to_contain_text("\u221250.0 %")
    expect(page.get_by_text("Not converted to EUR")).to_contain_text("7,000.00\u00a0IRR (1)")
    expect(page.get_by_text("nothing is newer")).to_be_visible()

    with session("operator", workspace_id=household.workspace_id) as connection:
        categories = dashboard.categories(connection, date(2026, 3, 1))
        merchants = dashboard.merchants(connection, date(2026, 3, 1))
        by_account = dashboard.accounts(connection, date(2026, 3, 1))
    spent_on = {row.category_id: (row.root, row.spent, row.spent_before) for row in categories if row.spent}
    assert spent_on == {
        "food.groceries": ("Food and drink", Decimal("34.95"), Decimal("30.00")),
        "food.coffee": ("Food and drink", Decimal("10.05"), Decimal(0)),
    }
    assert [(row.merchant, row.spent, row.is_new) for row in merchants] == [
        ("Green grocer", Decimal("34.95"), False),
        ("Corner cafe", Decimal("10.05"), True),
    ]
    assert [(row.account, row.spent) for row in by_account] == [("Card", Decimal("45.00"))]

    draft = TransactionDraft(
        account_id=spent["Cash"],
        occurred_on=date(2026, 3, 20),
        amount=Decimal("1.00"),
        currency="EUR",
        description="Chewing gum",
    )
    process.ledger().record(
        draft, workspace_id=household.workspace_id, actor_id=owner_of(household.workspace_id), source="app"
    )
    expect(page.get_by_text("1 newer expense is in the list and not in here yet")).to_be_visible()
    expect(figures.nth(0)).to_contain_text("45.00\u00a0EUR")
