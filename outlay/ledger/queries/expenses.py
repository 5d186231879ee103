"""The list of expenses: filters, order and keyset pages over the live view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args
from uuid import UUID

import psycopg

from outlay.ledger.queries import cursors, rows, stream
from outlay.ledger.queries.cursors import BadCursor

Kind = Literal["expense", "refund", "income", "transfer"]
Sort = Literal["newest", "oldest", "largest", "smallest", "name"]
Status = Literal["pending", "posted", "void", "any"]
"""What to show: `void` shows what was taken back, `any` everything; without one, all that counts."""


@dataclass(frozen=True)
class Expense:
    """One transaction in its current state. `amount` is positive when money leaves the account."""

    transaction_id: UUID
    version: int
    operation: str
    kind: str
    status: str
    occurred_on: date
    posted_on: date | None
    amount: Decimal
    currency: str
    merchant: str | None
    description: str | None
    counterparty: str | None
    account_id: UUID
    category_id: str | None
    category_source: str
    mcc: str | None
    note: str | None
    tags: list[str]
    refund_of: UUID | None
    transfer_pair: UUID | None
    attachments: list[dict[str, Any]]
    source: str
    external_id: str | None
    recorded_at: datetime
    name: str
    """What people recognise it by: the merchant, else the description, else the counterparty."""

    @property
    def void(self) -> bool:
        return self.operation == "voided"


@dataclass(frozen=True)
class Filter:
    """What to list; None leaves a filter out. Days and amounts are inclusive; of a sequence, one has to fit."""

    first_day: date | None = None
    last_day: date | None = None
    categories: Sequence[str] | None = None
    """Those of the parts of a split one count too. `uncategorised` is what has none."""
    accounts: Sequence[UUID] | None = None
    merchants: Sequence[str] | None = None
    kinds: Sequence[Kind] | None = None
    status: Status | None = None
    currency: str | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    """As they are stored: what comes in is below 0."""
    tags: Sequence[str] | None = None
    """All of them."""
    source: str | None = None
    """The way in of its newest version."""
    has_attachment: bool | None = None
    external_id: str | None = None
    text: str | None = None
    """Words that must all occur in merchant, description, counterparty, note or tags, in any case."""


@dataclass(frozen=True)
class Page:
    expenses: list[Expense] = field(default_factory=list)
    next: str | None = None
    """Cursor of the following page; None on the last."""


def page(
    connection: psycopg.Connection, wanted: Filter, *, sort: Sort = "newest", after: str | None = None, size: int = 50
) -> Page:
    """At most `size` transactions of the session's workspace behind the cursor `after`.

    Raises:
        BadCursor: `after` was not given out by this list in this order.
    """
    found = rows(connection, "expenses", **_parameters(wanted, sort, after, size + 1))
    expenses = [Expense(**row) for row in found[:size]]
    return Page(expenses, _write(expenses[-1], sort) if len(found) > size else None)


def every(
    connection: psycopg.Connection, wanted: Filter, *, sort: Sort = "newest", size: int
) -> Iterator[list[Expense]]:
    """All transactions that are wanted as they are in one moment, `size` at a time.

    Args:
        connection: a session in a transaction, that lasts until the last of them was taken.
    """
    for found in stream(connection, "expenses", size, **_parameters(wanted, sort, None, None)):
        yield [Expense(**row) for row in found]


def one(connection: psycopg.Connection, transaction_id: UUID) -> Expense | None:
    """The transaction as it is now, void or not; None when the session's workspace has none of this id."""
    found = some(connection, [transaction_id])
    return found[0] if found else None


def some(connection: psycopg.Connection, transaction_ids: Sequence[UUID]) -> list[Expense]:
    """The transactions as they are now, void or not, in no order; none for an id that the workspace has not."""
    return [Expense(**row) for row in rows(connection, "expenses_by_id", transaction_ids=list(transaction_ids))]


@dataclass(frozen=True)
class Line:
    line_id: UUID
    category_id: str | None
    amount: Decimal
    note: str | None


def lines_of(connection: psycopg.Connection, transaction_ids: Sequence[UUID]) -> dict[UUID, list[Line]]:
    """The parts of each transaction that has more than one, in their order."""
    found: dict[UUID, list[Line]] = {}
    for row in rows(connection, "expense_lines", transaction_ids=list(transaction_ids)):
        found.setdefault(row.pop("transaction_id"), []).append(Line(**row))
    return found


@dataclass(frozen=True)
class Converted:
    version: int
    """Of the state that was converted."""
    currency: str | None
    amount: Decimal | None


def converted(connection: psycopg.Connection, expenses: Sequence[Expense]) -> dict[UUID, Converted]:
    """What the warehouse made of `expenses` in the workspace's currency, where it has them.

    Raises:
        NotBuilt: gold was never built.
    """
    if not expenses:
        return {}
    days = [expense.occurred_on for expense in expenses]
    found = rows(
        connection,
        "expenses_converted",
        transaction_ids=[expense.transaction_id for expense in expenses],
        first_day=min(days),
        last_day=max(days),
    )
    return {row.pop("transaction_id"): Converted(**row) for row in found}


@dataclass(frozen=True)
class Event:
    """One accepted change of a transaction: the state after it, and its place in the log."""

    event_id: UUID
    version: int
    operation: str
    actor_id: UUID | None
    source: str
    recorded_at: datetime
    topic: str
    partition: int
    offset: int
    state: dict[str, Any]
    """As live keeps it: decimals, dates and ids are strings."""
    changed: dict[str, tuple[Any, Any]]
    """Of the fields that were asked for, those that differ from the event before: field to (old, new)."""


SEEN = (
    *("amount", "currency", "occurred_on", "kind", "status", "account_id"),
    *("merchant", "description", "category_id", "note", "tags"),
)
"""The fields that people see."""
RECORDED = (
    *SEEN,
    *("occurred_at_local", "posted_on", "counterparty", "category_source", "category_confidence", "decided_by", "mcc"),
    *("lines", "refund_of", "transfer_pair", "attachments"),
)


def history(connection: psycopg.Connection, transaction_id: UUID, *, fields: Sequence[str] = SEEN) -> list[Event]:
    """The transaction's accepted events, oldest first."""
    events: list[Event] = []
    for row in rows(connection, "expense_history", transaction_id=transaction_id):
        before = events[-1].state if events else {}
        changed = {
            field: (before.get(field), row["state"].get(field))
            for field in fields
            if (before.get(field) or None) != (row["state"].get(field) or None)
        }
        events.append(Event(**row, changed=changed))
    return events


def last_change(connection: psycopg.Connection) -> tuple[tuple[str, int, int], ...]:
    """A marker that changes with every event of the session's workspace that live commits."""
    return tuple((row["topic_id"], row["partition"], row["offset"]) for row in rows(connection, "last_change"))


def _parameters(wanted: Filter, sort: Sort, after: str | None, size: int | None) -> dict[str, Any]:
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(wanted).items()}
    words = _patterns(given.pop("text"))
    return {**given, "words": words, "sort": sort, "size": size, **_read(after, sort)}


def _patterns(text: str | None) -> list[str] | None:
    words = (text or "").split()
    return [f"%{_literal(word)}%" for word in words] or None


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _write(last: Expense, sort: Sort) -> str:
    return cursors.written([sort, last.occurred_on.isoformat(), str(last.amount), last.name, str(last.transaction_id)])


def _read(cursor: str | None, sort: Sort) -> dict[str, Any]:
    if sort not in get_args(Sort):
        raise ValueError(f"expected an order among {', '.join(get_args(Sort))}; got {sort!r}")
    if cursor is None:
        return {"after_day": None, "after_amount": None, "after_name": None, "after_id": None}
    with cursors.reading():
        made_for, day, amount, name, transaction_id = cursors.read(cursor)
        place = {
            "after_day": date.fromisoformat(day),
            "after_amount": Decimal(amount),
            "after_name": str(name).encode().decode(),  # no half of a character
            "after_id": UUID(transaction_id),
        }
    if "\0" in place["after_name"] or not abs(place["after_amount"]) < 10**14:
        raise BadCursor("expected a cursor that this list gave out; start again without one")
    if made_for != sort:
        raise BadCursor(f"the cursor is of the order {made_for!r}, not {sort!r}; start again without one")
    return place
