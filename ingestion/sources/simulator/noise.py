"""What makes real data real: misspelt merchants, outliers, twins, refunds. Each is labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from ingestion.sources.simulator.chance import chance, identity, money
from ingestion.sources.simulator.household import Household
from ingestion.sources.simulator.purchase import Purchase

_TYPO, _ANOMALY, _TWIN, _REFUND = 0.015, 0.002, 0.012, 0.2
_RETURNED = frozenset(("5651", "5661", "5732", "5712", "5941", "5999"))
"""Codes of shops where things are taken back."""
_REFUND_AFTER = (3, 15)  # days


def disturbed(seed: int, household: Household, month: date, bought: Sequence[Purchase]) -> Iterator[Purchase]:
    """The purchases with some changed, some twice (each its own purchase), and refunds after some."""
    rng = chance(seed, household.index, "noise", month)
    for purchase in bought:
        typo, outlier, twin, returned = (rng.random() for _ in range(4))
        shift = rng.randrange(*_REFUND_AFTER)
        if typo < _TYPO:
            misspelt = _misspelt(rng, purchase.description)
            purchase = replace(
                purchase, description=misspelt, merchant=purchase.description, labels=purchase.labels | {"typo"}
            )
        elif outlier < _ANOMALY:
            amount = money(float(purchase.amount) * rng.uniform(8, 15), purchase.currency)
            purchase = replace(purchase, amount=amount, parts=(), labels=purchase.labels | {"anomaly"})
        yield purchase
        if twin < _TWIN and not purchase.parts:
            again = identity(purchase.transaction_id, "twin")
            yield replace(purchase, transaction_id=again, labels=purchase.labels | {"identical"})
        if purchase.mcc in _RETURNED and returned < _REFUND and not purchase.parts:
            yield _refund(purchase, shift)


def _refund(purchase: Purchase, after: int) -> Purchase:
    share = Decimal("0.5") if purchase.amount > 100 else Decimal(1)
    return replace(
        purchase,
        transaction_id=identity(purchase.transaction_id, "refund"),
        local=purchase.local + timedelta(days=after),
        amount=-money(float(purchase.amount * share), purchase.currency),
        kind="refund",
        refund_of=purchase.transaction_id,
        labels=purchase.labels - {"anomaly"},
    )


def _misspelt(rng: Random, text: str) -> str:
    """One letter of the first word of four letters or more: lost, doubled, or changed with its neighbour."""
    start = next((place for place in range(len(text) - 3) if text[place : place + 4].isalpha()), None)
    if start is None:
        return text
    place = start + rng.randrange(1, 3)
    kind = rng.randrange(3)
    if kind == 0:
        return text[:place] + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place] + text[place:]
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
