"""Expenses: the live list, its filters, and what can be done to each."""

from datetime import date, timedelta
from itertools import groupby

import streamlit as st

from ingestion.rules import LATEST
from outlay import money
from outlay.ledger import clock
from outlay.ledger.queries import NotBuilt, choices, expenses, totals
from streamlit_app import changes, expense_dialogs, expense_list, live, workspace
from streamlit_app.expense_filters import Chosen, draw_filters
from streamlit_app.text import day, month, plain

SIZE = 25


def page_of(chosen: Chosen, cursors: list[str]) -> tuple:
    """What this run shows: the page, its amounts in the workspace's currency, and the log's place it was read at."""
    with workspace.reading() as connection:
        seen = expenses.last_change(connection)
        page = expenses.page(
            connection, chosen.filter, sort=chosen.sort, after=cursors[-1] if cursors else None, size=SIZE
        )
        abroad = [e for e in page.expenses if e.currency != workspace.current().currency]
        try:
            converted = expenses.converted(connection, abroad)
        except NotBuilt:
            converted = {}
    return page, converted, seen


def draw_spent() -> None:
    """What the running month comes to so far, as live has it."""
    with workspace.reading() as connection:
        spent = totals.spent(connection, today)
    if spent:
        amounts = " · ".join(plain(money.show(total.amount, total.currency)) for total in spent)
        st.caption(f":material/functions: Spent in {month(today)} so far: {amounts}")


def act(choice: str, expense: expenses.Expense) -> None:
    """Do what the menu of an expense was asked for."""
    if choice == "Void":
        changes.void(expense.transaction_id, expense.version, expense.name)
        st.rerun()
    if choice == "Restore":
        changes.restore(expense.transaction_id, expense.version, expense.name)
        st.rerun()
    expense_dialogs.request(choice, expense.transaction_id)
    st.rerun()


def draw_list(
    page: expenses.Page, converted: dict, accounts: list, categories: choices.Categories, by_day: bool
) -> None:
    for occurred_on, group in groupby(page.expenses, key=lambda e: e.occurred_on if by_day else None):
        if occurred_on is not None:
            st.markdown(f":small[:gray[**{day(occurred_on, today=today)}**]]")
        for expense in group:
            with st.container(key=f"expense_{expense.transaction_id}"):
                if not by_day:
                    st.caption(day(expense.occurred_on, today=today))
                expense_list.row(
                    expense,
                    accounts=accounts,
                    categories=categories,
                    today=today,
                    converted=converted.get(expense.transaction_id),
                    act=act,
                )


def draw_paging(page: expenses.Page, cursors: list[str]) -> None:
    first = len(cursors) * SIZE + 1
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right"):
        st.caption(f"{first:,} to {first + len(page.expenses) - 1:,}" if page.expenses else "", width="content")
        if st.button("Previous", icon=":material/chevron_left:", disabled=not cursors):
            cursors.pop()
            st.rerun()
        if st.button("Next", icon=":material/chevron_right:", icon_position="right", disabled=page.next is None):
            cursors.append(page.next)
            st.rerun()


today: date = clock.today(workspace.current())
with workspace.reading() as connection:
    accounts, categories = choices.accounts(connection), choices.categories(connection)

with st.container(horizontal=True, vertical_alignment="bottom"):
    st.title("Expenses", width="stretch")
    if st.button("Add expense", type="primary", icon=":material/add:"):
        st.switch_page("app_pages/add_expense.py")
draw_spent()
changes.notice()
chosen = draw_filters(accounts, categories)
if st.session_state.get("_expenses_of") != (workspace.current().workspace_id, chosen):
    st.session_state["_expenses_of"] = (workspace.current().workspace_id, chosen)
    st.session_state["_cursors"] = []
cursors: list[str] = st.session_state["_cursors"]
page, converted, seen = page_of(chosen, cursors)

if page.expenses:
    draw_list(page, converted, accounts, categories, by_day=chosen.sort in ("newest", "oldest"))
    draw_paging(page, cursors)
elif chosen.any:
    st.info("Nothing matches these filters.", icon=":material/filter_alt_off:")
else:
    st.info(
        "No expenses yet. Add one here, or bring many with `outlay import FILE`; they appear by themselves.",
        icon=":material/receipt_long:",
    )

expense_dialogs.open_requested(accounts, categories, latest=today + timedelta(days=LATEST.days - 1))
live.follow(seen)
