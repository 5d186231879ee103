"""What calls take, by name: the API's own fields. A field that is left out is not sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict
from uuid import UUID

Kind = Literal["expense", "refund", "income", "transfer"]


class Line(TypedDict):
    """One part of an expense; the parts sum to its amount."""

    amount: Decimal
    category_id: NotRequired[str | None]
    note: NotRequired[str | None]


class Fields(TypedDict, total=False):
    """Of an expense."""

    posted_on: date | None
    kind: Kind
    status: Literal["pending", "posted"]
    description: str | None
    merchant: str | None
    counterparty: str | None
    category_id: str | None
    mcc: str | None
    note: str | None
    tags: Sequence[str]
    lines: Sequence[Line]
    refund_of: UUID | None
    transfer_pair: UUID | None


class NewExpense(Fields):
    """An expense to record. `amount` is above 0 when money leaves the account."""

    account_id: UUID
    occurred_on: date
    amount: Decimal
    currency: str
    external_id: NotRequired[str | None]
    event_id: NotRequired[UUID | None]


class Changes(Fields, total=False):
    """What to change of one; None empties a field."""

    account_id: UUID
    occurred_on: date
    amount: Decimal
    currency: str


class NewAccount(TypedDict):
    name: str
    type: Literal["checking", "savings", "card", "cash", "loan"]
    currency: str
    institution: NotRequired[str | None]
    owner_id: NotRequired[UUID | None]


class Filter(TypedDict, total=False):
    """An expense is listed that all of these leave; of several values of one, one has to fit."""

    first_day: date
    last_day: date
    category: Sequence[str]
    account: Sequence[UUID]
    merchant: Sequence[str]
    kind: Sequence[Kind]
    status: Literal["pending", "posted", "void", "any"]
    currency: str
    min_amount: Decimal
    max_amount: Decimal
    tag: Sequence[str]
    source: str
    has_attachment: bool
    external_id: str
    text: str


Sort = Literal["newest", "oldest", "largest", "smallest", "name"]
