"""From what a person typed to values of the ledger, with each problem named by its field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from outlay import money
from outlay.ledger.queries.expenses import Expense

KINDS = {"expense": "Expense", "refund": "Refund", "income": "Income", "transfer": "Transfer"}
_MONEY_IN = ("refund", "income")


class Unusable(ValueError):
    """Something typed cannot be used. `problems`: field to one line for the person."""

    def __init__(self, problems: dict[str, str]):
        super().__init__("; ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True)
class Entered:
    """The form as it was submitted."""

    amount: str
    currency: str
    occurred_on: date | None
    kind: str
    account_id: UUID | None
    description: str
    category_id: str | None
    note: str
    tags: Sequence[str]
    merchant: str | None = None
    """None where the form does not ask for it."""


def values(entered: Entered) -> dict[str, Any]:
    """The fields of a transaction, its amount signed by the kind.

    Raises:
        Unusable: with every problem at once.
    """
    problems: dict[str, str] = {}
    amount = None
    try:
        amount = signed(money.parse(entered.amount, entered.currency), entered.kind)
    except (money.NotMoney, Unusable) as error:
        problems["amount"] = str(error)
    if amount == 0:
        problems["amount"] = "The amount is 0"
    if entered.occurred_on is None:
        problems["occurred_on"] = "Choose a date"
    if entered.account_id is None:
        problems["account_id"] = "Choose an account"
    if not entered.description.strip() and not (entered.merchant or "").strip():
        problems["description"] = "Say where or what it was"
    if problems:
        raise Unusable(problems)
    found = {
        "amount": amount,
        "currency": entered.currency,
        "occurred_on": entered.occurred_on,
        "kind": entered.kind,
        "account_id": entered.account_id,
        "description": entered.description.strip() or None,
        "category_id": entered.category_id,
        "note": entered.note.strip() or None,
        "tags": list(dict.fromkeys(tag.strip() for tag in entered.tags if tag.strip())),
    }
    if entered.merchant is not None:
        found["merchant"] = entered.merchant.strip() or None
    return found


def signed(amount: Decimal, kind: str) -> Decimal:
    """The amount as the ledger keeps it: above 0 when money leaves the account. Transfers go either way."""
    if kind != "transfer" and amount < 0:
        raise Unusable({"amount": f"Type it without a minus: {KINDS[kind].lower()} says which way it goes"})
    return -amount if kind in _MONEY_IN else amount


def typed(amount: Decimal, kind: str, currency: str) -> str:
    """The amount as a person would type it into the form: the reverse of `signed` and `money.parse`."""
    shown = -amount if kind in _MONEY_IN else amount
    return money.figure(shown, currency).replace(",", "").replace("\u2212", "-")


def changed(before: Expense, after: dict[str, Any]) -> dict[str, Any]:
    """The fields that differ from the expense as it was."""
    return {field: value for field, value in after.items() if value != getattr(before, field)}
