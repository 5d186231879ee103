"""Add expense: one form, and what it recorded, read back from the live view."""

from datetime import date, timedelta

import streamlit as st

from ingestion.events import new_id
from ingestion.rules import LATEST
from outlay import money
from outlay.ledger import clock
from outlay.ledger.queries import choices, expenses
from streamlit_app import changes, entry, expense_form, expense_list, live, workspace
from streamlit_app.text import plain

SHOWN = 8


def initial(today: date) -> entry.Entered:
    """An empty form that keeps what people rarely change between two expenses."""
    kept = st.session_state.get("_add_kept", {})
    return entry.Entered(
        amount="",
        currency=kept.get("currency", workspace.current().currency),
        occurred_on=kept.get("occurred_on", today),
        kind="expense",
        account_id=kept.get("account_id"),
        description="",
        category_id=None,
        note="",
        tags=[],
    )


def start_form() -> None:
    """Begin anew where the workspace is another one."""
    chosen = workspace.current().workspace_id
    if st.session_state.get("_add_form", {}).get("workspace_id") != chosen:
        st.session_state.pop("_add_kept", None)
        st.session_state["_added"] = []
        next_form()


def next_form() -> None:
    """An id for the next submission, so that pressing the button twice is the same event."""
    st.session_state["_add_form"] = {
        "workspace_id": workspace.current().workspace_id,
        "event_id": new_id(),
    }


def submit(entered: entry.Entered) -> bool:
    """Record what was entered, and prepare the next form."""
    draft = entry.values(entered)
    answer = changes.record(draft, event_id=st.session_state["_add_form"]["event_id"])
    what = f"{money.show(abs(draft['amount']), draft['currency'])}, {draft['description']}"
    changes.say(answer, f"Recorded {plain(what)}", changes.Undo("void", answer.entity_id, answer.version))
    st.session_state["_added"] = [answer.entity_id, *st.session_state["_added"]][:SHOWN]
    st.session_state["_add_kept"] = {field: draft[field] for field in ("currency", "occurred_on", "account_id")}
    next_form()
    return True


start_form()
today = clock.today(workspace.current())
with workspace.reading() as connection:
    accounts, categories = choices.accounts(connection), choices.categories(connection)
    seen = expenses.last_change(connection)
    read = [expenses.one(connection, transaction_id) for transaction_id in st.session_state["_added"]]

st.title("Add expense")
if all(account.closed for account in accounts):
    st.info(
        "This workspace has no open account. `outlay import FILE` makes one, and so does `POST /api/accounts`.",
        icon=":material/account_balance:",
    )
    st.stop()

changes.notice()
left, right = st.columns([1.25, 1], gap="large")
with left, st.form(f"add_{st.session_state['_add_form']['event_id']}", enter_to_submit=True):
    form = expense_form.draw(
        f"add_{st.session_state['_add_form']['event_id']}",
        initial(today),
        accounts=[account for account in accounts if not account.closed],
        categories=categories,
        latest=today + timedelta(days=LATEST.days - 1),
    )
    pressed = st.form_submit_button("Add expense", type="primary", icon=":material/add:")
    if pressed and form.tried(lambda: submit(form.entered)):
        st.rerun()

with right:
    st.subheader("Just added")
    added = [expense for expense in read if expense is not None]
    if not added:
        st.caption("What you add appears here, read back from the live view. Enter in any field submits the form.")
    for expense in added:
        expense_list.row(expense, accounts=accounts, categories=categories, today=today, wide=False)

live.follow(seen)
