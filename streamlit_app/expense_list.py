"""How one expense looks in a list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import streamlit as st

from outlay import money
from outlay.ledger.queries.choices import Account, Categories
from outlay.ledger.queries.expenses import Converted, Expense
from streamlit_app.text import day, plain

WIDTHS = [3.4, 2.4, 1.7, 1.8, 0.5]
_EDIT, _VOID, _RESTORE, _HISTORY = "Edit", "Void", "Restore", "History"


def row(
    expense: Expense,
    *,
    accounts: list[Account],
    categories: Categories,
    today: date,
    wide: bool = True,
    converted: Converted | None = None,
    act: Callable[[str, Expense], None] | None = None,
) -> None:
    """One expense; `wide` with category, account and menu in columns of their own, else in two lines.

    `act` is called with the menu's choice: Edit, Void, Restore or History.
    """
    account = next((a.name for a in accounts if a.account_id == expense.account_id), "")
    category = categories.path(expense.category_id) or "No category"
    amount = _amount(expense, converted)
    if not wide:
        what, figure = st.columns([2.4, 1], vertical_alignment="top")
        what.markdown(f"{_name(expense)}  \n:small[:gray[{day(expense.occurred_on, today=today)} · {plain(category)}]]")
        figure.markdown(amount, text_alignment="right")
        return
    what, where, which, figure, menu = st.columns(WIDTHS, vertical_alignment="center")
    what.markdown(_name(expense) + _details(expense))
    root, _, leaf = category.rpartition(" › ")
    above = f"  \n:small[:gray[{plain(root)}]]" if root else ""
    where.markdown(plain(leaf) + above if expense.category_id else f":gray[{category}]")
    which.markdown(f":gray[{plain(account)}]")
    figure.markdown(amount, text_alignment="right")
    options = [_RESTORE, _HISTORY] if expense.void else [_EDIT, _VOID, _HISTORY]
    chosen = menu.menu_button(
        ":material/more_vert:",
        options,
        key=f"menu_{expense.transaction_id}_{expense.version}",
        type="tertiary",
        help=f"Edit, void or trace {plain(expense.name)}"
        if not expense.void
        else f"Restore or trace {plain(expense.name)}",
    )
    if chosen and act:
        act(chosen, expense)


def _name(expense: Expense) -> str:
    name = plain(expense.name) or "Unnamed"
    return f"~~{name}~~ :gray-badge[Void]" if expense.void else f"**{name}**"


def _details(expense: Expense) -> str:
    """The second line: the raw description where it differs, note and tags, what the bank has not booked yet."""
    words = [] if expense.description in (None, expense.name) else [plain(expense.description)]
    if expense.note:
        words.append(plain(expense.note))
    badges = [f":gray-badge[{plain(tag)}]" for tag in expense.tags]
    if expense.status == "pending":
        badges.insert(0, ":orange-badge[Pending]")
    shown = " · ".join(words)
    line = " ".join(part for part in (f":gray[{shown}]" if shown else "", *badges) if part)
    return f"  \n:small[{line}]" if line else ""


def _amount(expense: Expense, converted: Converted | None) -> str:
    """Money out as it is, money in with a plus, and what the warehouse made of it in the workspace's currency."""
    out = money.show(abs(expense.amount), expense.currency)
    text = f":green[**+{plain(out)}**]" if expense.amount < 0 else f"**{plain(out)}**"
    if expense.void:
        text = f"~~{plain(out)}~~"
    if (
        converted
        and converted.currency
        and converted.currency != expense.currency
        and converted.version == expense.version
    ):
        in_workspace = (
            "not converted" if converted.amount is None else money.show(abs(converted.amount), converted.currency)
        )
        text += f"  \n:small[:gray[{plain(in_workspace)}]]"
    return text
