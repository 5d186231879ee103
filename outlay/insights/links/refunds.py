"""What refunds pay back: purchases at the same merchant, and never more of one than it cost."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from uuid import UUID

from outlay.insights.links.entry import Entry, Link

WITHIN = timedelta(days=180)
"""So long after a purchase a refund may come."""


def _by_day(entry: Entry) -> tuple:
    return entry.occurred_on, entry.transaction_id


class Purchases:
    """What is left to pay back of each purchase."""

    def __init__(self, entries: Collection[Entry]):
        self._left: dict[UUID, Decimal] = {}
        self._of_merchant: dict[tuple[str | None, str], list[Entry]] = defaultdict(list)
        self._of_amount: dict[tuple[str | None, str, Decimal], list[Entry]] = defaultdict(list)
        currencies = {}
        for purchase in sorted((entry for entry in entries if entry.is_purchase), key=_by_day):
            self._left[purchase.transaction_id] = purchase.amount
            self._of_merchant[purchase.merchant, purchase.currency].append(purchase)
            self._of_amount[purchase.merchant, purchase.currency, purchase.amount].append(purchase)
            currencies[purchase.transaction_id] = purchase.currency
        self.paid: set[UUID] = set()
        """Transactions of which anything is paid back."""
        for entry in entries:
            if entry.refund_of is not None and entry.amount < 0:
                self.paid.add(entry.refund_of)
                if currencies.get(entry.refund_of) == entry.currency:
                    self._left[entry.refund_of] += entry.amount
                else:
                    self.close(entry.refund_of)  # how much of it another currency paid back, nobody can say

    def fitting(self, refund: Entry) -> Iterator[Entry]:
        """Those of which enough is left, the newest first."""
        return self._enough_left(refund, self._of_merchant.get((refund.merchant, refund.currency), []))

    def exact(self, refund: Entry) -> Iterator[Entry]:
        """The same, only those that cost as much as comes back."""
        return self._enough_left(refund, self._of_amount.get((refund.merchant, refund.currency, -refund.amount), []))

    def pay(self, refund: Entry, purchase: Entry) -> None:
        self._left[purchase.transaction_id] += refund.amount
        self.paid.add(purchase.transaction_id)

    def close(self, transaction_id: UUID) -> None:
        """Nothing of it is to be paid back any more: it is no purchase, or nobody knows how much is left."""
        self._left[transaction_id] = Decimal(0)

    def _enough_left(self, refund: Entry, purchases: list[Entry]) -> Iterator[Entry]:
        last = bisect_right(purchases, refund.occurred_on, key=lambda purchase: purchase.occurred_on)
        for place in range(last - 1, -1, -1):
            purchase = purchases[place]
            if refund.occurred_on - purchase.occurred_on > WITHIN:
                return
            if self._left[purchase.transaction_id] >= -refund.amount:
                yield purchase


def linked(refunds: Iterable[Entry], purchases: Purchases) -> tuple[list[Link], list[Entry]]:
    """Each refund with what it pays back; and those that more than one purchase fits, and none exactly.

    What is exact goes first, and of that what is on the same account. Between refunds the older one goes first.
    """
    waiting = sorted(refunds, key=_by_day)
    found: list[Link] = []
    for same_account in (True, False):
        still = []
        for refund in waiting:
            exact = (p for p in purchases.exact(refund) if not same_account or p.account_id == refund.account_id)
            purchase = next(exact, None)
            if purchase is None:
                still.append(refund)
            else:
                purchases.pay(refund, purchase)
                found.append(Link("refund", refund, purchase))
        waiting = still
    ambiguous = []
    for refund in waiting:
        fitting = list(islice(purchases.fitting(refund), 2))
        if len(fitting) == 1:
            purchases.pay(refund, fitting[0])
            found.append(Link("refund", refund, fitting[0]))
        elif fitting:
            ambiguous.append(refund)
    return found, ambiguous
