"""What `gold.fct_budget_months` has to hold, told once more in Python: from live's events and gold's facts."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.integration.warehouse import Warehouse

DAY = timedelta(days=1)
SHARED = UUID(int=0)
ACCEPTED = """
    SELECT workspace_id, entity_id, version, operation, occurred_at, state -> entity FROM live.events
    WHERE entity = %s AND decision = 'accepted'
    AND (topic_id, partition, "offset") NOT IN (SELECT topic_id, partition, "offset" FROM silver.quarantine)
    ORDER BY workspace_id, entity_id, version
"""


@dataclass
class Home:
    """What a workspace's budgets are counted from."""

    lines: list[tuple] = field(default_factory=list)
    """(day, category, account, currency, amount, the workspace's currency, amount in that) of each line of spending."""
    parents: dict[str, str | None] = field(default_factory=dict)
    owners: dict[UUID, str | None] = field(default_factory=dict)
    budgets: dict[UUID, list[tuple]] = field(default_factory=lambda: defaultdict(list))
    """(version, operation, when it happened, what it says) of each version of each budget."""


def expected(warehouse: Warehouse) -> set[tuple]:
    """(workspace, budget, first day, last day, version, limit, carried in, spent, remaining, cells left out)."""
    return {
        (workspace_id, budget_id, *period)
        for workspace_id, home in _homes(warehouse).items()
        for budget_id, versions in home.budgets.items()
        for period in _periods(home, versions)
    }


def _homes(warehouse: Warehouse) -> dict[UUID, Home]:
    homes: dict[UUID, Home] = defaultdict(Home)
    for workspace_id, budget_id, *version in warehouse.rows(ACCEPTED, "budget"):
        homes[workspace_id].budgets[budget_id].append(tuple(version))
    for workspace_id, account_id, *_, account in warehouse.rows(ACCEPTED, "account"):
        if account:
            homes[workspace_id].owners[account_id] = account.get("owner_id")
    for workspace_id, *line in warehouse.rows(
        "SELECT workspace_id, occurred_on, category_id, account_id, currency, amount, workspace_currency,"
        " amount_converted FROM gold.fct_transactions WHERE kind IN ('expense', 'refund')"
    ):
        homes[workspace_id].lines.append(tuple(line))
    tree = warehouse.rows("SELECT workspace_id, category_id, parent_id FROM gold.dim_category")
    shared = {category_id: parent_id for workspace_id, category_id, parent_id in tree if workspace_id == SHARED}
    for home in homes.values():
        home.parents |= shared
    for workspace_id, category_id, parent_id in tree:
        if workspace_id in homes:
            homes[workspace_id].parents[category_id] = parent_id
    return homes


def _periods(home: Home, versions: list[tuple]) -> Iterator[tuple]:
    newest = max((line[0] for line in home.lines), default=None)
    left, before = Decimal(0), None
    for first, last, version, budget in _terms(versions):
        for number, starts_on in enumerate(_starts(budget["period"], first)):
            is_first = before is None and number == 0
            if not is_first and (newest is None or starts_on > newest or (last and starts_on > last)):
                break
            ends = [day for day in (_next(budget["period"], first, number), last and last + DAY) if day]
            ends_on = min(ends) - DAY if ends else None
            spent, left_out = _spent(home, budget, starts_on, ends_on)
            carries = before and before[1]["rollover"] and before[0] == starts_on - DAY
            carried = left if carries and before[1]["currency"] == budget["currency"] else Decimal(0)
            left = Decimal(budget["amount"]) + carried - spent
            before = ends_on, budget
            yield starts_on, ends_on, version, Decimal(budget["amount"]), carried, spent, left, left_out


def _terms(versions: list[tuple]) -> Iterator[tuple[date, date | None, int, dict[str, Any]]]:
    """First and last day of each version that holds for any day, in the order of days."""
    terms: list[tuple[date, int, dict | None]] = []
    for version, operation, at, budget in versions:
        deleted = operation == "deleted"
        if not deleted and not budget:
            continue
        first = at.astimezone(UTC).date() + DAY if deleted else date.fromisoformat(budget["starts_on"])
        terms = [term for term in terms if term[0] < first]
        terms.append((first, version, None if deleted else budget))
    for (first, version, budget), following in zip(terms, [*terms[1:], None], strict=True):
        if budget and budget["period"] != "unknown":
            yield first, following[0] - DAY if following else None, version, budget


def _starts(period: str, first: date) -> Iterator[date]:
    yield first
    number = 0
    while (starts_on := _next(period, first, number)) is not None:
        yield starts_on
        number += 1


def _next(period: str, first: date, number: int) -> date | None:
    """The first day after the period with that number."""
    if period == "custom":
        return None
    if period == "biweekly":
        return first + timedelta(weeks=2 * (number + 1))
    year, month = divmod(first.year * 12 + first.month - 1 + number + 1, 12)
    day = date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
    while period == "payday" and day.strftime("%a") in ("Sat", "Sun"):
        day -= DAY
    return day


def _spent(home: Home, budget: dict[str, Any], starts_on: date, ends_on: date | None) -> tuple[Decimal, int]:
    spent, unconverted = Decimal(0), defaultdict(Decimal)
    for day, category_id, account_id, currency, amount, own, converted in home.lines:
        if day < starts_on or (ends_on and day > ends_on):
            continue
        if budget.get("category_id") and budget["category_id"] not in _upwards(home.parents, category_id):
            continue
        if budget.get("member_id") and home.owners.get(account_id) != budget["member_id"]:
            continue
        if currency == budget["currency"]:
            spent += amount
        elif own == budget["currency"] and converted is not None:
            spent += converted
        else:
            unconverted[day, category_id, account_id, currency, own == budget["currency"]] += amount
    return spent, sum(amount != 0 or not is_own for (*_, is_own), amount in unconverted.items())


def _upwards(parents: dict[str, str | None], category_id: str) -> list[str]:
    """The category and those above it; a circle ends where it closes."""
    way = [category_id]
    while (above := parents.get(way[-1])) and above not in way:
        way.append(above)
    return way
