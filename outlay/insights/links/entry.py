"""What the matching looks at, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that is not void. `amount` is above 0 when money leaves the account."""

    transaction_id: UUID
    version: int
    account_id: UUID
    kind: str
    posted: bool
    occurred_on: date
    posted_on: date | None
    amount: Decimal
    currency: str
    merchant: str | None = None
    """The normalised name."""
    category: str | None = None
    """Kind of its category: ``spending``, ``income`` or ``transfer``; None where nobody knows one."""
    chosen: bool = False
    """Whether a person or a file chose the category."""
    split: bool = False
    """Whether a line of it has a category that is no transfer's."""
    says_transfer: bool = False
    """Whether its text has a word for transfers."""
    refund_of: UUID | None = None
    transfer_pair: UUID | None = None

    @property
    def booked(self) -> date:
        return self.posted_on or self.occurred_on

    @property
    def linked(self) -> bool:
        return self.refund_of is not None or self.transfer_pair is not None

    @property
    def may_be_half(self) -> bool:
        """Whether it may be half of a transfer: a shop's category, or one that somebody chose, says that it is none."""
        if not self.posted or self.linked or self.split or not self.amount:
            return False
        return self.category in (None, "transfer") or (self.kind == "transfer" and not self.chosen)

    @property
    def is_open_refund(self) -> bool:
        """Whether it is a refund of a known merchant that nobody has linked to a purchase."""
        return self.posted and not self.linked and self.kind == "refund" and self.amount < 0 and bool(self.merchant)

    @property
    def is_purchase(self) -> bool:
        """Whether a refund may pay it back."""
        return (
            self.posted
            and self.transfer_pair is None
            and self.kind == "expense"
            and self.amount > 0
            and bool(self.merchant)
        )


@dataclass(frozen=True, slots=True)
class Link:
    """Two transactions that belong together.

    Of a ``transfer``, `one` is where the money leaves, and both are to name the other. Of a ``half``, `other` names
    `one` already. Of a ``refund``, `one` pays back `other`.
    """

    what: Literal["transfer", "half", "refund"]
    one: Entry
    other: Entry

    @property
    def changed(self) -> tuple[tuple[Entry, Entry], ...]:
        """Each that is to name another, and which."""
        first = (self.one, self.other)
        return (first, first[::-1]) if self.what == "transfer" else (first,)
