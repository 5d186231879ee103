"""A month's spending as it is now: the warehouse's figures, corrected by what live has newer than they are.

Of each expense that changed since the last build, what gold holds is taken off and what live holds is put on, converted
as the next build will. So nothing counts twice, and the build changes nothing but what quality rules keep out of gold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from outlay import money
from outlay.ledger.members import members
from outlay.ledger.queries import NotBuilt, choices, dashboard, rows
from outlay.ledger.queries.dashboard import CurrencySpend, Month, months_from
from outlay.ledger.workspaces import Workspace

_NONE = Decimal(0)


@dataclass(frozen=True)
class Compared:
    """Another month, to compare with."""

    month: date
    spent: Decimal
    to_day: Decimal
    """Of it, up to the day of the month that the one asked for has come to."""


@dataclass(frozen=True)
class CategorySpend:
    category_id: str
    name: str
    path: str
    """The names from the top of the tree down to its own."""
    spent: Decimal
    before: Decimal
    """In the month before, up to the same day."""
    year_before: Decimal


@dataclass(frozen=True)
class MerchantSpend:
    merchant: str
    spent: Decimal
    purchases: int


@dataclass(frozen=True)
class AccountSpend:
    account_id: UUID
    account: str
    member_id: UUID | None
    """The user who owns the account."""
    spent: Decimal


@dataclass(frozen=True)
class MemberSpend:
    member_id: UUID | None
    member: str | None
    spent: Decimal


@dataclass(frozen=True)
class Spending:
    """One month of a workspace, in `currency`; what had no rate on its day is in `currencies` alone."""

    month: date
    currency: str
    built_at: datetime
    newer: int
    """Expenses that changed since the build."""
    includes_newer: bool
    """They are in the figures. Not if more than `dashboard.NEWER_AT_MOST` changes wait for the next build."""
    day: int
    """The last day of the month that has come, where the workspace is; 31 of a month that is over, or yet to come."""
    spent: Decimal
    before: Compared
    year_before: Compared
    trend: Sequence[Month]
    """Twelve months, the one asked for last."""
    categories: Sequence[CategorySpend]
    merchants: Sequence[MerchantSpend]
    accounts: Sequence[AccountSpend]
    members: Sequence[MemberSpend]
    currencies: Sequence[CurrencySpend]


def of_month(
    connection: psycopg.Connection, workspace: Workspace, month: date, *, today: date, merchants: int = 10
) -> Spending:
    """The spending of a month, and of those that it is compared with.

    Args:
        connection: a session that sees the workspace, outside of a transaction; it reads all in one.
        month: its first day.
        today: where the workspace is.
        merchants: how many of the largest.

    Raises:
        NotBuilt: gold was never built.
    """
    day = today.day if (today.year, today.month) == (month.year, month.month) else 31
    with _one_moment(connection):
        stand = dashboard.newer_than_gold(connection, "fct_transactions", named=True)
        cells = _Cells(connection, month, day, summed=stand["is_up_to_date"])
        currency = cells.currency or workspace.currency
        parts = _newer_parts(connection, stand, month, currency) if stand["is_all"] else []
        for part in parts:
            cells.correct(part)
        of_the_month = [part for part in parts if part.occurred_on >= month]
        return Spending(
            month=month,
            currency=currency,
            built_at=stand["built_at"],
            newer=stand["newer"],
            includes_newer=stand["is_all"],
            day=day,
            spent=cells.spent(month),
            before=cells.compared(months_from(month, -1)),
            year_before=cells.compared(months_from(month, -12)),
            trend=[Month(at, cells.spent(at)) for at in (months_from(month, back) for back in range(-11, 1))],
            categories=_categories(connection, cells, month),
            merchants=_merchants(connection, of_the_month, month, merchants),
            accounts=(accounts := _accounts(connection, cells, month)),
            members=_members(connection, accounts),
            currencies=_currencies(connection, of_the_month, month),
        )


@dataclass(frozen=True)
class _Part:
    """A part of an expense that is newer than gold; one that gold holds is taken off, one that live holds is put on."""

    is_live: bool
    transaction_id: UUID
    occurred_on: date
    category_id: str
    account_id: UUID
    merchant: str | None
    currency: str
    amount: Decimal
    amount_converted: Decimal | None

    @property
    def sign(self) -> int:
        return 1 if self.is_live else -1


class _Cells:
    """What was spent in each month, category and account: whole, and up to a day of the month."""

    def __init__(self, connection: psycopg.Connection, month: date, day: int, *, summed: bool):
        self._day = day
        self._spent: dict[tuple[date, str, UUID], list[Decimal]] = defaultdict(lambda: [_NONE, _NONE])
        self.currency: str | None = None
        for row in rows(connection, "spending_cells", day=day, summed=summed, **_window(month)):
            self._spent[row["month"], row["category_id"], row["account_id"]] = [row["spent"], row["to_day"]]
            self.currency = row["currency"] or self.currency

    def correct(self, part: _Part) -> None:
        if part.amount_converted is None:
            return
        cell = self._spent[part.occurred_on.replace(day=1), part.category_id, part.account_id]
        change = part.sign * part.amount_converted
        cell[0] += change
        if part.occurred_on.day <= self._day:
            cell[1] += change

    def spent(self, month: date) -> Decimal:
        return sum((whole for (at, _, _), (whole, _) in self._spent.items() if at == month), _NONE)

    def compared(self, month: date) -> Compared:
        to_day = sum((part for (at, _, _), (_, part) in self._spent.items() if at == month), _NONE)
        return Compared(month, self.spent(month), to_day)

    def by_category(self, month: date, *, to_day: bool = False) -> Mapping[str, Decimal]:
        return self._by(lambda _, category_id, __: category_id, month, to_day=to_day)

    def by_account(self, month: date) -> Mapping[UUID, Decimal]:
        return self._by(lambda _, __, account_id: account_id, month)

    def _by(self, key: Callable[..., Any], month: date, *, to_day: bool = False) -> Mapping[Any, Decimal]:
        found: dict[Any, Decimal] = defaultdict(Decimal)
        for cell, (whole, part) in self._spent.items():
            if cell[0] == month:
                found[key(*cell)] += part if to_day else whole
        return found


@contextmanager
def _one_moment(connection: psycopg.Connection) -> Iterator[None]:
    """All that the block reads is of one moment. A table that a build swaps in is waited for before it: to a moment
    from before it was there, it would be empty."""
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute("LOCK TABLE ONLY gold.fct_transactions, ONLY gold.fct_daily_spend IN ACCESS SHARE MODE")
            yield
    except psycopg.errors.UndefinedTable as error:
        raise NotBuilt("nothing was built yet: run `outlay build`") from error


def _window(month: date) -> dict[str, date]:
    """The months that figures are of: from the one a year before to the month itself."""
    return {"first_month": months_from(month, -12), "month_after": months_from(month, 1)}


def _newer_parts(
    connection: psycopg.Connection, stand: Mapping[str, Any], month: date, currency: str
) -> Sequence[_Part]:
    if not stand["newer"]:
        return []
    known = money.currencies().get(currency)
    found = rows(
        connection,
        "spending_newer",
        transaction_ids=stand["transaction_ids"],
        currency=currency,
        minor_units=known.minor_units if known else None,
        **_window(month),
    )
    return [_Part(**row) for row in found]


def _categories(connection: psycopg.Connection, cells: _Cells, month: date) -> Sequence[CategorySpend]:
    tree = choices.categories(connection)
    spent = cells.by_category(month)
    before = cells.by_category(months_from(month, -1), to_day=True)
    year_before = cells.by_category(months_from(month, -12), to_day=True)
    found = []
    for category_id in spent.keys() | before.keys() | year_before.keys():
        figures = [of.get(category_id, _NONE) for of in (spent, before, year_before)]
        if any(figures):
            name = tree[category_id].name if category_id in tree else category_id
            found.append(CategorySpend(category_id, name, tree.path(category_id), *figures))
    return sorted(found, key=lambda each: (-each.spent, each.category_id))


def _merchants(
    connection: psycopg.Connection, newer: Sequence[_Part], month: date, size: int
) -> Sequence[MerchantSpend]:
    """The largest. Those that changed may have fallen out, so that as many more of the others are asked for."""
    converted = [part for part in newer if part.merchant is not None and part.amount_converted is not None]
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for part in converted:
        spent[part.merchant] += part.sign * part.amount_converted
    purchases = _purchases(converted, lambda part: part.merchant)
    for row in dashboard.merchants(connection, month, size=size + len(spent), names=list(spent)):
        spent[row.merchant] += row.spent
        purchases[row.merchant] += row.purchases
    found = [MerchantSpend(name, spent[name], purchases[name]) for name in spent if purchases[name]]
    return sorted(found, key=lambda each: (-each.spent, each.merchant))[:size]


def _accounts(connection: psycopg.Connection, cells: _Cells, month: date) -> list[AccountSpend]:
    known = {account.account_id: account for account in choices.accounts(connection)}
    found = []
    for account_id, spent in cells.by_account(month).items():
        account = known.get(account_id)
        if spent:
            named = (account.name, account.owner_id) if account else ("Unnamed account", None)
            found.append(AccountSpend(account_id, *named, spent))
    return sorted(found, key=lambda each: (-each.spent, each.account_id))


def _members(connection: psycopg.Connection, accounts: Sequence[AccountSpend]) -> Sequence[MemberSpend]:
    """What the accounts of each come to; None for the accounts that nobody in particular owns."""
    names = {member.user_id: member.name for member in members(connection)}
    spent: dict[UUID | None, Decimal] = defaultdict(Decimal)
    for account in accounts:
        spent[account.member_id] += account.spent
    found = [MemberSpend(user_id, names.get(user_id), amount) for user_id, amount in spent.items()]
    return sorted(found, key=lambda each: (-each.spent, str(each.member_id)))


def _currencies(connection: psycopg.Connection, newer: Sequence[_Part], month: date) -> Sequence[CurrencySpend]:
    purchases = _purchases(newer, lambda part: part.currency)
    unconverted = [part for part in newer if part.amount_converted is None]
    left_out = _purchases(unconverted, lambda part: part.currency)
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for part in unconverted:
        amounts[part.currency] += part.sign * part.amount
    for row in dashboard.currencies(connection, month):
        purchases[row.currency] += row.purchases
        left_out[row.currency] += row.purchases_not_converted
        amounts[row.currency] += row.not_converted
    return [
        CurrencySpend(currency, count, amounts[currency], left_out[currency])
        for currency, count in sorted(purchases.items())
        if count
    ]


def _purchases(parts: Sequence[_Part], of: Callable[[_Part], str]) -> Counter[str]:
    """How many more expenses there are of each; one of several parts counts once."""
    found: Counter[str] = Counter()
    for key, _, sign in {(of(part), part.transaction_id, part.sign) for part in parts}:
        found[key] += sign
    return found
