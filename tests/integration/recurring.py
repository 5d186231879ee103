"""What `gold.fct_recurring_candidates` has to hold, told once more in Python: from the current transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from statistics import median_low
from typing import Any

from tests.integration.warehouse import Warehouse

RHYTHMS = {
    "weekly": range(6, 9),
    "biweekly": range(12, 17),
    "monthly": range(26, 36),
    "quarterly": range(84, 99),
    "half-yearly": range(174, 193),
    "yearly": range(355, 376),
}
PAYMENTS = """
    SELECT workspace_id, merchant, kind, currency, occurred_on, amount, transaction_id
    FROM intermediate.int_transactions_current
    WHERE NOT is_voided AND kind <> 'refund' AND merchant IS NOT NULL
"""


def expected(warehouse: Warehouse) -> set[tuple]:
    """(workspace, merchant, kind, currency, usual amount, found by, cadence, payments, first and last day)."""
    by_merchant: dict[tuple, list[tuple]] = defaultdict(list)
    for workspace_id, merchant, *payment in warehouse.rows(PAYMENTS):
        by_merchant[workspace_id, merchant].append(tuple(payment))
    return {(*who, *series) for who, payments in by_merchant.items() for series in _series(payments)}


def _series(payments: list[tuple]) -> Iterator[tuple]:
    newest = sorted(payments, key=lambda paid: (paid[2], paid[4].int), reverse=True)[:100]
    apart: dict[tuple, list[tuple[date, Decimal]]] = defaultdict(list)
    for kind, currency, day, amount, _ in newest:
        apart[kind, currency].append((day, amount))
    for of, paid in apart.items():
        a_day: dict[date, Decimal] = defaultdict(Decimal)
        for day, amount in paid:
            a_day[day] += amount
        if found := _regular(a_day):
            yield (*of, median_low(a_day.values()), "merchant", *found)
            continue
        for steady in {amount for _, amount in paid}:
            if found := _regular({day: steady for day, amount in paid if amount == steady}):
                yield (*of, steady, "amount", *found)


def _regular(paid: dict[date, Decimal]) -> tuple[Any, ...] | None:
    """(cadence, payments, first and last day) of payments that seem to come back."""
    if len(paid) < 3:
        return None
    days = sorted(paid)
    gaps = [(after - before).days for before, after in pairwise(days)]
    usual = median_low(paid.values())
    near = [amount for amount in paid.values() if abs(amount - usual) <= abs(usual) / 4]
    for cadence, rhythm in RHYTHMS.items():
        if median_low(gaps) in rhythm and 5 * sum(gap in rhythm for gap in gaps) >= 4 * len(gaps):
            return (cadence, len(days), days[0], days[-1]) if 2 * len(near) >= len(paid) else None
    return None
