"""What a person does in the pages, in a real browser against the running line."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from outlay.db import session
from outlay.ledger.queries import expenses
from tests.app.conftest import add, choose, seconds_until, settle

pytestmark = pytest.mark.app


def rows(page: Page):
    """The expenses of the list, each one element."""
    return page.locator("[class*='st-key-expense_']")


def act(page: Page, name: str, choice: str) -> None:
    """Open the menu of the expense of this name and choose."""
    rows(page).filter(has_text=name).get_by_test_id("stMenuButtonButton").first.click()
    page.get_by_role("menuitem", name=choice, exact=True).or_(
        page.get_by_role("option", name=choice, exact=True)
    ).click()


def in_live(household, **wanted) -> list[tuple]:
    with session("operator", workspace_id=household.workspace_id) as connection:
        found = expenses.page(connection, expenses.Filter(**wanted)).expenses
    return [(expense.name, str(expense.amount), expense.currency, expense.note) for expense in found]


def test_a_wrong_key_opens_nothing_and_the_right_one_opens_the_page_asked_for(browser, address, stack):
    page = browser.new_context().new_page()
    page.goto(f"{address}/expenses")
    expect(page.get_by_role("heading", name="Outlay")).to_be_visible()
    page.get_by_label("Key").fill("wrong")
    page.get_by_label("Key").press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the key of this installation.")
    page.get_by_label("Key").fill(stack.api_token.get_secret_value())
    page.get_by_label("Key").press("Enter")
    expect(page).to_have_url(f"{address}/expenses")
    expect(page.get_by_role("heading", name="Expenses")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Expenses")).to_be_visible()
    page.context.close()


def test_nothing_is_fetched_from_another_host(visit, address):
    page = visit("expenses")
    asked: list[str] = []
    page.on("response", lambda response: asked.append(response.url))
    page.reload()
    settle(page)
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def test_an_expense_typed_in_one_window_is_in_the_list_of_another_within_a_second_or_two(visit, household):
    looking, typing = visit("expenses"), visit("add")
    expect(looking.get_by_text("No expenses yet")).to_be_visible()
    what = f"Kiosk {uuid4().hex[:6]} *1* $x$"
    add(typing, amount="1.234,50", what=what)
    took = seconds_until(looking, what)
    assert took < 10
    expect(rows(looking)).to_have_count(1)
    expect(rows(looking)).to_contain_text("1,234.50\u00a0EUR")
    expect(looking.get_by_text("so far: 1,234.50\u00a0EUR")).to_be_visible()
    expect(typing.get_by_text("Recorded 1,234.50")).to_be_visible()
    assert [(amount, currency) for _, amount, currency, _ in in_live(household)] == [("1234.5000", "EUR")]


def test_what_is_wrong_is_told_beside_each_field_and_nothing_is_recorded(visit, household):
    page = visit("add")
    page.get_by_label("Amount").fill("12.345")
    page.get_by_label("Amount").press("Enter")
    expect(page.get_by_text("EUR has 2 decimals")).to_be_visible()
    expect(page.get_by_text("Choose an account").last).to_be_visible()
    expect(page.get_by_text("Say where or what it was")).to_be_visible()
    expect(page.get_by_label("Amount")).to_have_value("12.345")
    assert in_live(household) == []


def test_undo_takes_back_what_was_added(visit, household):
    page = visit("add")
    add(page, amount="9.99", what="Mistake")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone")).to_be_visible()
    assert in_live(household) == []
    assert [name for name, *_ in in_live(household, status="void")] == ["Mistake"]


def test_an_expense_is_edited_voided_and_restored_from_the_list(visit, household):
    page = visit("add")
    add(page, amount="20", what="Bookshop")
    expect(page.get_by_text("Recorded")).to_be_visible()
    page.get_by_role("link", name="Expenses").click()

    act(page, "Bookshop", "Edit")
    drawer = page.get_by_role("dialog")
    drawer.get_by_label("Amount").fill("21.50")
    drawer.get_by_label("Note").fill("a present")
    drawer.get_by_label("Note").press("Enter")
    expect(rows(page)).to_contain_text("21.50")
    expect(rows(page)).to_contain_text("a present")
    assert in_live(household) == [("Bookshop", "21.5000", "EUR", "a present")]

    act(page, "Bookshop", "History")
    expect(page.get_by_role("dialog")).to_contain_text("Amended")
    expect(page.get_by_role("dialog")).to_contain_text("offset")
    page.keyboard.press("Escape")

    act(page, "Bookshop", "Void")
    expect(page.get_by_text("Voided Bookshop")).to_be_visible()
    expect(rows(page)).to_have_count(0)
    assert in_live(household) == []
    page.get_by_role("button", name="Undo").click()
    expect(rows(page)).to_contain_text("21.50")
    assert in_live(household) == [("Bookshop", "21.5000", "EUR", "a present")]


def test_of_two_people_who_edit_the_same_expense_the_second_is_told(visit, household):
    page = visit("add")
    add(page, amount="5", what="Shared taxi")
    expect(page.get_by_text("Recorded")).to_be_visible()
    first, second = visit("expenses"), visit("expenses")
    for window in (first, second):
        act(window, "Shared taxi", "Edit")
        expect(window.get_by_role("dialog").get_by_label("Note")).to_be_visible()
    for window, note in ((first, "mine"), (second, "theirs")):
        window.get_by_role("dialog").get_by_label("Note").fill(note)
        window.get_by_role("dialog").get_by_label("Note").press("Enter")
        expect(window.get_by_role("dialog")).to_have_count(0)
    expect(second.get_by_text("Somebody changed it in the meantime")).to_be_visible()
    assert in_live(household) == [("Shared taxi", "5.0000", "EUR", "mine")]


def test_filters_narrow_the_list_stay_in_the_address_and_survive_a_reload(visit, household):
    page = visit("add")
    for amount, what, account in (("3", "Bakery", "Card"), ("40", "Fuel stop", "Cash"), ("5", "Bakery again", "Cash")):
        add(page, amount=amount, what=what, account=account)
        expect(page.get_by_text(f"Recorded {amount}.00")).to_be_visible()
    page.get_by_role("link", name="Expenses").click()
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Search").fill("bakery")
    page.get_by_label("Search").press("Enter")
    expect(rows(page)).to_have_count(2)
    choose(page, "Account", "Cash")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("5.00")
    assert "text=bakery" in page.url
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_label("Search").press("Enter")
    expect(page.get_by_text("Nothing matches these filters")).to_be_visible()
