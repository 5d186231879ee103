"""What the API takes and gives. Amounts are decimal strings on both sides, never JSON numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    computed_field,
)

from outlay.api.months import Month
from outlay.ledger.queries.category_tree import Categories
from outlay.ledger.queries.expenses import Expense, Kind, Line


def _from_string(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'expected the amount as a string such as "12.50", got {type(value).__name__}')
    return value


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not text:
        raise ValueError("expected printable characters, without spaces at the ends")
    return text


def _as_text(value: object) -> object:
    if not isinstance(value, date) and not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)):
        raise ValueError(f"expected a day such as 2026-01-31, got {value!r}")
    return value


Day = Annotated[date, BeforeValidator(_as_text, json_schema_input_type=date)]
"""ISO 8601, and not a number of seconds, which pydantic takes too."""
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
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Mcc = Annotated[str, Field(pattern="^[0-9]{4}$", description="ISO 18245.")]
ExternalId = Annotated[str, Field(min_length=1, max_length=50)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LineIn(Strict):
    """One part of an expense; the parts sum to its amount."""

    amount: Amount
    category_id: Text | None = None
    note: Text | None = None


Tags = Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=100)]
Lines = Annotated[list[LineIn], Field(max_length=1_000)]
"""Bounded here; the ledger's rules say how many there may be, and how long."""


class NewExpense(Strict):
    """One transaction to record. Merchant and category are found from the description where they are not given."""

    account_id: UUID
    occurred_on: Day
    posted_on: Day | None = Field(None, description="The bank's booking date.")
    amount: Amount
    currency: Currency
    kind: Kind = Field("expense", description="expense: amount 0 or more; refund and income: 0 or less.")
    status: Literal["pending", "posted"] = "posted"
    description: Text | None = None
    merchant: Text | None = None
    counterparty: Text | None = None
    category_id: Text | None = None
    mcc: Mcc | None = None
    note: Text | None = None
    tags: Tags = Field(default_factory=list)
    lines: Lines = Field(default_factory=list, description="Parts that sum to the amount.")
    refund_of: UUID | None = Field(None, description="Of a refund: the transaction that it pays back.")
    transfer_pair: UUID | None = Field(None, description="Of a transfer: its other half.")
    external_id: ExternalId | None = Field(
        None, description="Your own id of it, unique in the workspace: the same one again is the same transaction."
    )
    event_id: UUID | None = Field(None, description="Made by you, so that a retry is the same event.")


class NewExpenses(Strict):
    """Transactions to record together."""

    expenses: Annotated[list[NewExpense], Field(min_length=1, max_length=500)]


class Changes(Strict):
    """What to change of a transaction. Fields left out stay as they are; null empties a field."""

    account_id: UUID = None
    occurred_on: Day = None
    posted_on: Day | None = None
    amount: Amount = None
    currency: Currency = None
    kind: Kind = None
    status: Literal["pending", "posted"] = None
    description: Text | None = None
    merchant: Text | None = None
    counterparty: Text | None = None
    category_id: Text | None = None
    mcc: Mcc | None = None
    note: Text | None = None
    tags: Tags = None
    lines: Lines = None
    refund_of: UUID | None = None
    transfer_pair: UUID | None = None


class AttachmentOut(BaseModel):
    attachment_id: UUID
    name: str | None
    media_type: str
    sha256: str


def attachment_path(transaction_id: UUID, attachment_id: UUID) -> str:
    """Where an attachment is read."""
    return f"/api/expenses/{transaction_id}/attachments/{attachment_id}"


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
    mcc: str | None
    note: str | None
    tags: list[str]
    refund_of: UUID | None
    transfer_pair: UUID | None
    attachments: list[AttachmentOut]
    source: str
    external_id: str | None
    recorded_at: datetime

    @computed_field(description="Path of the first attachment.")
    @property
    def receipt_url(self) -> str | None:
        if not self.attachments:
            return None
        return attachment_path(self.transaction_id, self.attachments[0].attachment_id)


class LineOut(BaseModel):
    line_id: UUID
    amount: StoredAmount
    category_id: str | None
    note: str | None


class ExpenseDetail(ExpenseOut):
    """One transaction with its parts; none where it has one."""

    lines: list[LineOut]

    @classmethod
    def of(cls, expense: Expense, lines: Mapping[UUID, Sequence[Line]]) -> ExpenseDetail:
        parts = [vars(line) for line in lines.get(expense.transaction_id, ())]
        return cls.model_validate({**vars(expense), "lines": parts})


class ExpensesOut(BaseModel):
    expenses: list[ExpenseOut]
    next: str | None = Field(description="Cursor of the following page; null on the last.")


class ChangedOut(BaseModel):
    """Transactions that changed, each as it is now: one with a higher version than yours replaces yours."""

    expenses: list[ExpenseDetail]
    cursor: str = Field(description="Of what comes after: keep it, and ask with it next time.")
    more: bool = Field(description="Whether something does already.")


class FieldChange(BaseModel):
    field: str
    before: JsonValue
    after: JsonValue


class VersionOut(BaseModel):
    """A version of a transaction: who made it when, and which fields it changed. `before` is null in the first."""

    version: int
    operation: str
    event_id: UUID
    actor_id: UUID | None
    actor: str | None = Field(description="Their name, while they are a member.")
    source: str
    recorded_at: datetime
    changed: list[FieldChange]


class TotalOut(BaseModel):
    """What a month comes to in one currency; a dimension that was not asked for is null."""

    model_config = ConfigDict(from_attributes=True)

    month: Month
    currency: str
    kind: str | None
    category_id: str | None
    account_id: UUID | None
    account: str | None
    member_id: UUID | None = Field(description="The user who owns the account.")
    lines: int = Field(description="Parts of transactions: a split one has a part in each of its categories.")
    amount: StoredAmount


AccountType = Literal["checking", "savings", "card", "cash", "loan"]


class NewAccount(Strict):
    """An account, a card or a purse."""

    name: Name
    type: AccountType
    currency: Currency
    institution: Name | None = Field(None, description="The bank.")
    owner_id: UUID | None = Field(None, description="The member it belongs to; null when it is shared.")


class AccountChanges(Strict):
    """What to change of an account. Fields left out stay as they are."""

    name: Name = None
    type: AccountType = None
    currency: Currency = None
    institution: Name | None = None
    owner_id: UUID | None = None


class AccountOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    account_id: UUID
    version: int
    name: str
    type: str
    currency: str
    institution: str | None
    owner_id: UUID | None
    closed: bool = Field(description="Nothing more is recorded on it.")


CategoryId = Annotated[str, Field(min_length=1, max_length=100)]


class NewCategory(Strict):
    """A category of the workspace's own."""

    name: Name
    parent_id: CategoryId | None = Field(None, description="The one that it hangs below; null at the top.")


class CategoryChanges(Strict):
    """What to change of a category. Fields left out stay as they are."""

    name: Name = None
    parent_id: CategoryId | None = Field(None, description="Where to move it with all below it; null to the top.")


class MergedInto(Strict):
    """Which category takes the place of another."""

    into: CategoryId


class CategoryOut(BaseModel):
    category_id: str
    version: int = Field(description="0 while it is as all workspaces have it.")
    parent_id: str | None
    name: str
    path: str = Field(description="The names from the root to it.")
    archived: bool = Field(description="Nothing more is recorded in it: it, or one above it, is out of use.")
    merged_into: str | None = Field(description="The category that has taken its place.")

    @classmethod
    def of(cls, tree: Categories, category_id: str) -> CategoryOut:
        found = tree[category_id]
        return cls(
            category_id=category_id,
            version=found.version,
            parent_id=tree.parent(category_id),
            name=found.name,
            path=tree.path(category_id),
            archived=tree.is_archived(category_id),
            merged_into=found.merged_into,
        )


class BudgetNamed(BaseModel):
    budget_id: UUID
    name: str | None


class UsesOut(BaseModel):
    """What has a category or one below it: what archiving or merging it touches."""

    model_config = ConfigDict(from_attributes=True)

    expenses: int = Field(description="Void ones not counted.")
    first_on: date | None = Field(description="Day of the earliest of them.")
    last_on: date | None
    below: list[str] = Field(description="Categories below it that are in use.")
    budgets: list[BudgetNamed]


class MovedOut(BaseModel):
    """What went from one category to another."""

    model_config = ConfigDict(from_attributes=True)

    category: CategoryOut
    expenses: int
    categories: int = Field(description="Directly below it; what is below them goes with them.")
    set_aside: int = Field(description="Expenses that break a rule, or are pending with their source: they stay.")
    changed_since: int = Field(description="What somebody else changed: it is left as it is.")


class AnswerOut(BaseModel):
    """What became of an event, and where in the log it stands."""

    model_config = ConfigDict(from_attributes=True)

    decision: Literal["accepted", "duplicate", "stale", "pending"]
    event_id: UUID
    transaction_id: UUID = Field(validation_alias=AliasChoices("entity_id", "transaction_id"))
    version: int
    topic: str
    partition: int
    offset: int


class OutcomeOut(BaseModel):
    """What became of one of several."""

    outcome: Literal["inserted", "already_there", "pending", "refused"] = Field(
        description="pending: it is in the log, and not decided yet: send it again to learn what became of it. "
        "refused: its event_id or external_id is of something else; `detail` says of what."
    )
    transaction_id: UUID | None
    event_id: UUID | None
    version: int | None
    detail: str | None = None


class OutcomesOut(BaseModel):
    inserted: int
    already_there: int
    pending: int
    refused: int
    outcomes: list[OutcomeOut] = Field(description="One for each, in the order in which they came.")


class WorkspaceOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    workspace_id: UUID
    name: str | None
    currency: str
    time_zone: str | None
    role: Literal["owner", "editor", "viewer", "unknown"]
