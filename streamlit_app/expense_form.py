"""The fields of an expense, the same when adding and when editing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ingestion.rules import MAX_LENGTH, MAX_TAG_LENGTH, MAX_TAGS
from outlay import money
from outlay.ledger.commands import KafkaUnavailable, Refused
from outlay.ledger.queries.choices import Account, Categories
from streamlit_app.changes import NO_KAFKA
from streamlit_app.entry import KINDS, Entered, Unusable
from streamlit_app.text import plain


@dataclass
class Form:
    """What was entered, and where to say what is wrong with each field."""

    entered: Entered
    slots: dict[str, DeltaGenerator]

    def say(self, problems: Mapping[str, str]) -> None:
        """Show each problem under its field; those of no field here under the amount."""
        for field, message in problems.items():
            slot = self.slots.get(field, self.slots["amount"])
            slot.markdown(f":small[:red[:material/error: {plain(message)}]]")

    def tried(self, submit: Callable[[], bool]) -> bool:
        """What `submit` returns, or False after saying what is wrong with what was entered, or that Kafka is away."""
        try:
            return submit()
        except Unusable as error:
            self.say(error.problems)
        except Refused as error:
            self.say({problem.field: problem.message for problem in error.problems})
        except KafkaUnavailable:
            st.error(NO_KAFKA, icon=":material/cloud_off:")
        return False


def draw(
    key: str,
    initial: Entered,
    *,
    accounts: list[Account],
    categories: Categories,
    latest: date,
) -> Form:
    """Draw the fields inside an open `st.form`. A field's widget is named ``<key>_<field>``."""
    slots: dict[str, DeltaGenerator] = {}

    def below(field: str) -> None:
        slots[field] = st.empty()

    names = {
        each.account_id: each.name for each in accounts if not each.closed or each.account_id == initial.account_id
    }
    left, middle, right = st.columns([1.5, 1.1, 1.5])
    with left:
        amount = st.text_input("Amount", initial.amount, key=f"{key}_amount", placeholder="12.50", autocomplete="off")
        below("amount")
    with middle:
        codes = list(money.currencies())
        currency = st.selectbox(
            "Currency",
            codes,
            codes.index(initial.currency) if initial.currency in codes else 0,
            key=f"{key}_currency",
        )
        below("currency")
    with right:
        occurred_on = st.date_input(
            "Date",
            initial.occurred_on,
            min_value=date(1900, 1, 1),
            max_value=latest,
            format="YYYY-MM-DD",
            key=f"{key}_date",
        )
        below("occurred_on")

    merchant = None
    if initial.merchant is not None:
        merchant = st.text_input(
            "Merchant", initial.merchant, max_chars=MAX_LENGTH["merchant"], key=f"{key}_merchant", autocomplete="off"
        )
        below("merchant")
    description = st.text_input(
        "Merchant or description" if merchant is None else "Description",
        initial.description,
        max_chars=MAX_LENGTH["description"],
        key=f"{key}_description",
        placeholder="Coffee at the station",
        autocomplete="off",
    )
    below("description")

    left, right = st.columns(2)
    with left:
        options = categories.offered()
        if initial.category_id is not None and initial.category_id not in options:
            options.insert(0, initial.category_id)
        category_id = st.selectbox(
            "Category",
            options,
            options.index(initial.category_id) if initial.category_id else None,
            key=f"{key}_category",
            format_func=categories.path,
            placeholder="Found from the description" if merchant is None else "None",
        )
        below("category_id")
    with right:
        account_ids: list[UUID] = list(names)
        account_id = st.selectbox(
            "Account",
            account_ids,
            account_ids.index(initial.account_id) if initial.account_id in names else (0 if len(names) == 1 else None),
            key=f"{key}_account",
            format_func=lambda account_id: names.get(account_id, str(account_id)),
            placeholder="Choose an account",
        )
        below("account_id")

    kind = st.segmented_control("Kind", list(KINDS), default=initial.kind, format_func=KINDS.get, key=f"{key}_kind")
    below("kind")
    left, right = st.columns(2)
    with left:
        note = st.text_input("Note", initial.note, max_chars=MAX_LENGTH["note"], key=f"{key}_note", autocomplete="off")
        below("note")
    with right:
        tags = st.multiselect(
            "Tags",
            list(initial.tags),
            default=list(initial.tags),
            accept_new_options=True,
            max_selections=MAX_TAGS,
            key=f"{key}_tags",
            placeholder="Type a tag, press Enter",
            help=f"Up to {MAX_TAGS}, each up to {MAX_TAG_LENGTH} characters",
        )
        below("tags")
    entered = Entered(
        amount, currency, occurred_on, kind or "expense", account_id, description, category_id, note, tags, merchant
    )
    return Form(entered, slots)
