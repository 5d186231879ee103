"""The figures of the dashboard, from gold: one month of a workspace, beside the months before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from outlay.ledger.queries import NotBuilt, rows

NEWER_AT_MOST = 10_000


@dataclass(frozen=True)
class AsOf:
    built_at: datetime
    newer: int
    """Expenses that live has newer than gold."""
    is_all: bool
    """There are no more than these: no more than `NEWER_AT_MOST` changes are looked at."""


@dataclass(frozen=True)
class Month:
    """Spending of a month, in the workspace's currency."""

    month: date
    spent: Decimal


@dataclass(frozen=True)
class CategorySpend:
    category_id: str
    name: str
    root_id: str
    root: str
    spent: Decimal
    spent_before: Decimal


@dataclass(frozen=True)
class DaySpend:
    day: date
    spent: Decimal


@dataclass(frozen=True)
class MerchantSpend:
    merchant: str
    spent: Decimal
    purchases: int
    is_new: bool
    """Whether the workspace had never paid there before this month."""


@dataclass(frozen=True)
class AccountSpend:
    account_id: UUID
    account: str
    type: str | None
    member: str | None
    spent: Decimal


@dataclass(frozen=True)
class CurrencySpend:
    currency: str
    purchases: int
    not_converted: Decimal
    """In this currency, for want of a rate on its day."""
    purchases_not_converted: int


def as_of(connection: psycopg.Connection) -> AsOf:
    """How old the figures are.

    Raises:
        NotBuilt: gold was never built.
    """
    found = newer_than_gold(connection, "fct_daily_spend", named=False)
    return AsOf(found["built_at"], found["newer"], found["is_all"])


def newer_than_gold(connection: psycopg.Connection, model: str, *, named: bool) -> dict[str, Any]:
    """What ``newer_than_gold.sql`` says of a model of gold.

    Raises:
        NotBuilt: it was never built.
    """
    found = rows(connection, "newer_than_gold", model=model, at_most=NEWER_AT_MOST, named=named)
    if not found:
        raise NotBuilt("nothing was built yet: run `outlay build`")
    return found[0]


def months(connection: psycopg.Connection) -> list[Month]:
    """Every month with spending, oldest first."""
    return [Month(**row) for row in rows(connection, "dashboard_months")]


def categories(connection: psycopg.Connection, month: date) -> list[CategorySpend]:
    """By category, this month and the one before, the largest first."""
    found = rows(
        connection,
        "dashboard_categories",
        month=month,
        month_before=months_from(month, -1),
        month_after=months_from(month, 1),
    )
    return [CategorySpend(**row) for row in found]


def days(connection: psycopg.Connection, month: date) -> list[DaySpend]:
    """Every day of the month, with spending or without."""
    return [DaySpend(**row) for row in rows(connection, "dashboard_days", **_between(month))]


def merchants(
    connection: psycopg.Connection, month: date, *, size: int = 10, names: Sequence[str] = ()
) -> list[MerchantSpend]:
    """The merchants with the largest spending, and besides those of `names` that have any."""
    found = rows(connection, "dashboard_merchants", size=size, names=list(names), **_between(month))
    return [MerchantSpend(**row) for row in found]


def accounts(connection: psycopg.Connection, month: date) -> list[AccountSpend]:
    """By account, with the member who owns it."""
    return [AccountSpend(**row) for row in rows(connection, "dashboard_accounts", **_between(month))]


def currencies(connection: psycopg.Connection, month: date) -> list[CurrencySpend]:
    """By the currency of the purchase, with what the month's figures leave out."""
    return [CurrencySpend(**row) for row in rows(connection, "dashboard_currencies", **_between(month))]


def months_from(month: date, count: int) -> date:
    """The first day of the month `count` months after `month`, or before it."""
    at = month.year * 12 + month.month - 1 + count
    return date(at // 12, at % 12 + 1, 1)


def year_to(month: date, known: Sequence[Month]) -> list[Month]:
    """The twelve months that end with `month`; those without spending are 0."""
    by_month = {entry.month: entry for entry in known}
    wanted = [months_from(month, -back) for back in range(11, -1, -1)]
    return [by_month.get(first, Month(first, Decimal(0))) for first in wanted]


def _between(month: date) -> dict[str, date]:
    return {"month": month, "month_after": months_from(month, 1)}
