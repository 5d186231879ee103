"""The filters above the list; all of them are kept in the address, so that a view can be bookmarked and shared."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from outlay.ledger.queries.choices import Account, Categories
from outlay.ledger.queries.expenses import Filter, Sort
from streamlit_app.entry import KINDS

SORTS: dict[Sort, str] = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "largest": "Largest first",
    "smallest": "Smallest first",
    "name": "By name",
}
STATUSES = {"current": "All but void", "pending": "Pending", "posted": "Posted", "void": "Void", "any": "All"}


@dataclass(frozen=True)
class Chosen:
    filter: Filter
    sort: Sort

    @property
    def any(self) -> bool:
        """Whether anything is filtered at all."""
        return self.filter != Filter()


def draw_filters(accounts: list[Account], categories: Categories) -> Chosen:
    search, days, sort = st.columns([2.2, 1.6, 1])
    text = search.text_input(
        "Search",
        key="text",
        bind="query-params",
        placeholder="Merchant, description, note or tag",
        icon=":material/search:",
        autocomplete="off",
    )
    between = days.date_input("Between", (), key="days", bind="query-params", format="YYYY-MM-DD")
    order = sort.selectbox("Order", list(SORTS), key="order", bind="query-params", format_func=SORTS.get)
    by_category, by_account, by_kind, by_status = st.columns([2.2, 1.6, 1, 1])
    category = by_category.selectbox(
        "Category",
        list(categories),
        None,
        key="category",
        bind="query-params",
        format_func=categories.path,
        placeholder="Every category",
    )
    names = {account.account_id: account.name for account in accounts}
    account = by_account.selectbox(
        "Account",
        list(names),
        None,
        key="account",
        bind="query-params",
        format_func=lambda account_id: names.get(account_id, str(account_id)),
        placeholder="Every account",
    )
    kind = by_kind.selectbox(
        "Kind", list(KINDS), None, key="kind", bind="query-params", format_func=KINDS.get, placeholder="Every kind"
    )
    status = by_status.selectbox("Status", list(STATUSES), key="status", bind="query-params", format_func=STATUSES.get)
    first, last = (*between, None, None)[:2]
    wanted = Filter(
        first_day=first,
        last_day=last,
        categories=tuple(categories.with_below(category)) if category else None,
        accounts=(account,) if account else None,
        kinds=(kind,) if kind else None,
        status=None if status == "current" else status,
        text=text.strip() or None,
    )
    return Chosen(wanted, order)
