"""The drawers that open over the list: an expense to edit, and where an expense came from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

import streamlit as st

from outlay import money
from outlay.ledger import clock
from outlay.ledger.queries import expenses
from outlay.ledger.queries.choices import Account, Categories
from streamlit_app import changes, entry, expense_form, live, workspace
from streamlit_app.text import plain

_REQUESTED = "_dialog"
_LABELS = {"occurred_on": "Date", "account_id": "Account", "category_id": "Category"}


def request(choice: str, transaction_id: UUID) -> None:
    """Have the next run open the drawer of this choice."""
    st.session_state[_REQUESTED] = (choice, transaction_id)


def open_requested(accounts: list[Account], categories: Categories, *, latest: date) -> None:
    """Open the drawer that was asked for, from the page itself: what the list polls does not touch it."""
    requested = st.session_state.get(_REQUESTED)
    live.busy(requested is not None)
    if requested is None:
        return
    choice, transaction_id = requested
    with workspace.reading() as connection:
        expense = expenses.one(connection, transaction_id)
    if expense is None:
        _close()
    elif choice == "Edit":
        _edit(expense, accounts, categories, latest)
    elif choice == "History":
        _history(expense, accounts, categories)


def _close() -> None:
    st.session_state.pop(_REQUESTED, None)
    live.busy(False)


@st.dialog("Edit expense", position="right", width="medium", icon=":material/edit:", on_dismiss=_close)
def _edit(expense: expenses.Expense, accounts: list[Account], categories: Categories, latest: date) -> None:
    before = entry.Entered(
        amount=entry.typed(expense.amount, expense.kind, expense.currency),
        currency=expense.currency,
        occurred_on=expense.occurred_on,
        kind=expense.kind,
        account_id=expense.account_id,
        description=expense.description or "",
        category_id=expense.category_id,
        note=expense.note or "",
        tags=expense.tags,
        merchant=expense.merchant or "",
    )
    key = f"edit_{expense.transaction_id}_{expense.version}"
    with st.form(key, border=False, enter_to_submit=True):
        form = expense_form.draw(key, before, accounts=accounts, categories=categories, latest=latest)
        if not st.form_submit_button("Save", type="primary", icon=":material/check:"):
            return
        if not form.tried(lambda: _save(expense, form.entered)):
            return
    _close()
    st.rerun()


def _save(expense: expenses.Expense, entered: entry.Entered) -> bool:
    changed = entry.changed(expense, entry.values(entered))
    if changed:
        answer = changes.amend(expense.transaction_id, changed, expense.version)
        back = {field: getattr(expense, field) for field in changed}
        undo = changes.Undo("amend", expense.transaction_id, answer.version, back)
        changes.say(answer, f"Saved {plain(expense.name)}", undo)
    return True


@st.dialog("History", position="right", width="medium", icon=":material/history:", on_dismiss=_close)
def _history(expense: expenses.Expense, accounts: list[Account], categories: Categories) -> None:
    """Each accepted event, newest first: what it changed, who wrote it, and its place in the log."""
    with workspace.reading() as connection:
        events = expenses.history(connection, expense.transaction_id)
    names = {str(account.account_id): account.name for account in accounts}
    st.markdown(f"**{plain(expense.name)}**  \n:small[:gray[Transaction {expense.transaction_id}]]")
    zone = clock.zone(workspace.current())
    for event in reversed(events):
        with st.container(border=True):
            at = event.recorded_at.astimezone(zone)
            st.markdown(
                f"**{event.operation.capitalize()}** :small[:gray[version {event.version} · {at:%Y-%m-%d %H:%M} · "
                f"from {event.source}]]"
            )
            st.markdown(
                "  \n".join(_line(field, *pair, event, names, categories) for field, pair in event.changed.items())
            )
            st.caption(f"In the log: topic {event.topic}, partition {event.partition}, offset {event.offset}")


def _line(field: str, old: object, new: object, event: expenses.Event, names: dict, categories: Categories) -> str:
    before, after = (_shown(field, value, event.state, names, categories) for value in (old, new))
    arrow = f":gray[{before}] → " if event.version > 1 else ""
    return f":small[:gray[{_LABELS.get(field, field.capitalize())}] {arrow}{after}]"


def _shown(field: str, value: object, state: dict, names: dict[str, str], categories: Categories) -> str:
    if value in (None, [], ""):
        return "none"
    if field == "amount":
        return plain(money.show(Decimal(str(value)), state["currency"]))
    if field == "account_id":
        return plain(names.get(str(value), str(value)))
    if field == "category_id":
        return plain(categories.path(str(value)))
    return plain(", ".join(value) if isinstance(value, list) else str(value))
