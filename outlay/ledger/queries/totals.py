"""Totals by month, from live: as new as the newest expense, in the currencies of the purchases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import psycopg

from outlay.ledger.queries import rows

Dimension = Literal["kind", "category", "account", "member"]
_COLUMNS: dict[Dimension, tuple[str, ...]] = {
    "kind": ("kind",),
    "category": ("category_id",),
    "account": ("account_id", "account"),
    "member": ("member_id",),
}
SPENDING = ("expense", "refund")
"""The kinds that spending is the sum of."""


@dataclass(frozen=True)
class Total:
    """What a month comes to in one currency; a dimension that was not asked for is None."""

    month: date
    currency: str
    lines: int
    """Parts of transactions: a split one has a part in each of its categories."""
    amount: Decimal
    kind: str | None = None
    category_id: str | None = None
    account_id: UUID | None = None
    account: str | None = None
    member_id: UUID | None = None
    """The user who owns the account."""


def by_month(
    connection: psycopg.Connection,
    first: date,
    last: date,
    *,
    by: Sequence[Dimension] = (),
    kinds: Sequence[str] | None = None,
) -> list[Total]:
    """Totals of the session's workspace for the months from that of `first` to that of `last`, in their order.

    Args:
        by: what to tell apart besides month and currency.
        kinds: only these; None for all.
    """
    found = rows(connection, "monthly_totals", first_month=first.replace(day=1), last_month=last.replace(day=1))
    columns = ("month", "currency", *(column for dimension in by for column in _COLUMNS[dimension]))
    return list(_summed((row for row in found if kinds is None or row["kind"] in kinds), columns))


def spent(connection: psycopg.Connection, month: date) -> list[Total]:
    """What was spent in the month of `month`, a row for each currency, the one with the most purchases first."""
    found = by_month(connection, month, month, kinds=SPENDING)
    return sorted(found, key=lambda total: (-total.lines, total.currency))


def _summed(found: Iterable[dict[str, Any]], columns: Sequence[str]) -> Iterable[Total]:
    cells: dict[tuple, list] = {}
    for row in found:
        cell = cells.setdefault(tuple(row[column] for column in columns), [0, Decimal(0)])
        cell[0] += row["lines"]
        cell[1] += row["amount"]
    for key, (lines, amount) in cells.items():
        yield Total(**dict(zip(columns, key, strict=True)), lines=lines, amount=amount)
