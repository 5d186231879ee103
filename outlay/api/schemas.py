"""What the API takes and gives. Amounts are decimal strings on both sides, never JSON numbers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from outlay.ledger.queries.expenses import Kind


def _from_string(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'expected the amount as a string such as "12.50", got {type(value).__name__}')
    return value


_SHOWN = PlainSerializer(lambda amount: format(amount, "f"), return_type=str, when_used="json")
Amount = Annotated[
    Decimal,
    BeforeValidator(_from_string, json_schema_input_type=str),
    _SHOWN,
    Field(max_digits=18, decimal_places=4, description="Decimal string; above 0 when money leaves the account."),
]
StoredAmount = Annotated[Decimal, _SHOWN]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217.")]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LineIn(Strict):
    """One part of an expense; the parts sum to its amount."""

    amount: Amount
    category_id: Text | None = None
    note: Text | None = None


class NewExpense(Strict):
    """One transaction to record. Merchant and category are found from the description where they are not given."""

    account_id: UUID
    occurred_on: date
    amount: Amount
    currency: Currency
    kind: Kind = Field("expense", description="expense: amount 0 or more; refund and income: 0 or less.")
    status: Literal["pending", "posted"] = "posted"
    description: Text | None = None
    merchant: Text | None = None
    counterparty: Text | None = None
    category_id: Text | None = None
    note: Text | None = None
    tags: list[str] = Field(default_factory=list)
    lines: list[LineIn] = Field(default_factory=list, description="Parts that sum to the amount.")
    external_id: Annotated[str, Field(min_length=1, max_length=50)] | None = Field(
        None, description="Your own id of it."
    )
    event_id: UUID | None = Field(None, description="Made by you, so that a retry is the same event.")


class Changes(Strict):
    """What to change of a transaction. Fields left out stay as they are; null empties a field."""

    account_id: UUID = None
    occurred_on: date = None
    posted_on: date | None = None
    amount: Amount = None
    currency: Currency = None
    kind: Kind = None
    status: Literal["pending", "posted"] = None
    description: Text | None = None
    merchant: Text | None = None
    counterparty: Text | None = None
    category_id: Text | None = None
    mcc: Annotated[str, Field(pattern="^[0-9]{4}$", description="ISO 18245.")] | None = None
    note: Text | None = None
    tags: list[str] = None
    lines: list[LineIn] = None


class ExpenseOut(BaseModel):
    """One transaction in its current state."""

    model_config = ConfigDict(from_attributes=True)

    transaction_id: UUID
    version: int
    operation: str
    kind: str
    status: str
    occurred_on: date
    posted_on: date | None
    amount: StoredAmount
    currency: str
    merchant: str | None
    description: str | None
    counterparty: str | None
    account_id: UUID
    category_id: str | None
    category_source: str
    note: str | None
    tags: list[str]
    source: str
    external_id: str | None
    recorded_at: datetime


class LineOut(BaseModel):
    line_id: UUID
    amount: StoredAmount
    category_id: str | None
    note: str | None


class ExpenseDetail(ExpenseOut):
    lines: list[LineOut]


class ExpensesOut(BaseModel):
    expenses: list[ExpenseOut]
    next: str | None = Field(description="Cursor of the following page; null on the last.")


class TotalOut(BaseModel):
    """What a month comes to in one currency; a dimension that was not asked for is null."""

    model_config = ConfigDict(from_attributes=True)

    month: Annotated[date, PlainSerializer(lambda month: month.isoformat()[:7], return_type=str, when_used="json")]
    currency: str
    kind: str | None
    category_id: str | None
    account_id: UUID | None
    account: str | None
    member_id: UUID | None = Field(description="The user who owns the account.")
    lines: int = Field(description="Parts of transactions: a split one has a part in each of its categories.")
    amount: StoredAmount


class AnswerOut(BaseModel):
    """What became of an event, and where in the log it stands."""

    model_config = ConfigDict(from_attributes=True)

    decision: Literal["accepted", "duplicate", "stale", "pending"]
    event_id: UUID
    transaction_id: UUID = Field(validation_alias="entity_id")
    version: int
    topic: str
    partition: int
    offset: int


class WorkspaceOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    workspace_id: UUID
    name: str | None
    currency: str
    time_zone: str | None
    role: Literal["owner", "editor", "viewer", "unknown"]
