"""One movement of money as the simulation thinks of it, before it becomes events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True)
class Purchase:
    """`transaction_id` comes from its place in the simulation; `local` is naive, in the household's zone."""

    transaction_id: UUID
    local: datetime
    amount: Decimal
    currency: str
    account_id: UUID
    actor_id: UUID
    description: str
    kind: str = "expense"
    mcc: str | None = None
    merchant: str | None = None
    """Who it was, where the descriptor cannot be asked (rent, salary) or is misspelt."""
    category_id: str | None = None
    """Set where a person or the bank knows it; None leaves it to enrichment."""
    counterparty: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()
    parts: tuple[tuple[str, Decimal], ...] = ()
    """(category id, amount) of the lines of a split purchase."""
    refund_of: UUID | None = None
    transfer_pair: UUID | None = None
    labels: frozenset[str] = frozenset()
    """What is odd about it: typo, anomaly, identical, trip, price_rise."""
