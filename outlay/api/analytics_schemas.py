"""What the API says of a month's spending. Amounts are decimal strings in the workspace's currency."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from outlay.api.months import Month
from outlay.api.schemas import Currency, StoredAmount


class _Figure(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class MonthSpent(_Figure):
    month: Month
    spent: StoredAmount


class ComparedOut(MonthSpent):
    """Another month, to compare with."""

    to_day: StoredAmount = Field(description="Of it, up to the `day` that the month asked for has come to.")


class CategorySpent(_Figure):
    category_id: str
    name: str
    path: str = Field(description="The names from the top of the tree down to its own.")
    spent: StoredAmount
    before: StoredAmount = Field(description="In the month before, up to the same `day`.")
    year_before: StoredAmount = Field(description="In the same month a year before, up to the same `day`.")


class MerchantSpent(_Figure):
    merchant: str
    spent: StoredAmount
    purchases: int


class AccountSpent(_Figure):
    account_id: UUID
    account: str
    member_id: UUID | None = Field(description="The user who owns the account.")
    spent: StoredAmount


class MemberSpent(_Figure):
    """What the accounts come to that somebody owns; null for those that nobody in particular does."""

    member_id: UUID | None
    member: str | None
    spent: StoredAmount


class CurrencySpent(_Figure):
    """What was bought in one currency, and what of it had no exchange rate on its day: that is in no other figure."""

    currency: Currency
    purchases: int
    not_converted: StoredAmount = Field(description="In this currency.")
    purchases_not_converted: int


class DashboardOut(_Figure):
    """A month's spending: expenses less refunds, in the workspace's currency."""

    month: Month
    currency: Currency
    built_at: datetime = Field(description="When the warehouse was last built.")
    newer: int = Field(description="Expenses that changed since.")
    includes_newer: bool = Field(description="They are in the figures; not if more changed than are looked at here.")
    day: int = Field(description="The last day of the month that has come; 31 of any but the present one.")
    spent: StoredAmount
    before: ComparedOut
    year_before: ComparedOut
    trend: list[MonthSpent] = Field(description="Twelve months, the one asked for last.")
    categories: list[CategorySpent]
    merchants: list[MerchantSpent]
    accounts: list[AccountSpent]
    members: list[MemberSpent]
    currencies: list[CurrencySpent]
