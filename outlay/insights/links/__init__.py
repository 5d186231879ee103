"""Which transactions of a workspace belong together: the halves of a transfer, a refund and what it pays back.

Only what has one reading is linked. What has several is left, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from outlay.insights.links.entry import Entry, Link
from outlay.insights.links.refunds import Purchases, linked
from outlay.insights.links.transfers import Matches, claims, matches, mended

__all__ = ["VERSION", "Entry", "Link", "Links", "match"]

VERSION = "links-1"
"""Of these rules, as events name them."""


@dataclass(frozen=True)
class Links:
    """What belongs together, in the order of days; and how many transactions were left, because it may be several."""

    links: tuple[Link, ...]
    transfers_left: int
    """May be half of more than one transfer, or as well pay back a purchase."""
    refunds_left: int
    """May pay back more than one purchase."""
    halves_left: int
    """Name another half that does not name them, and that does not fit or is not there."""


def match(entries: Iterable[Entry]) -> Links:
    """The links of one workspace's transactions, the same in whatever order they come. Linked again, there are none.

    What one round links narrows what the rest may be, so rounds follow until one finds nothing: commonly two. One takes
    n log n, and for each refund without an exact purchase a look at those of its merchant, until two fit.

    Args:
        entries: those that may be linked, those that are, and the purchases that refunds may pay back.
    """
    known = {entry.transaction_id: entry for entry in entries}
    claimed = claims(known)
    purchases = Purchases(known.values())
    found = [link for link in mended(known, claimed) if link.one.transaction_id not in purchases.paid]
    free = {key: entry for key, entry in known.items() if key not in claimed}
    sides = {key: entry for key, entry in free.items() if entry.may_be_half}
    refunds = {key: entry for key, entry in free.items() if entry.is_open_refund}
    for key in claimed:
        purchases.close(key)
    while True:
        for key in purchases.paid:
            sides.pop(key, None)
        near = matches(sides.values())
        pairs = [
            Link("transfer", side, other)
            for key, side in sides.items()
            if side.amount > 0 and (other := near.get(key)) and near[other.transaction_id] is side
            if other.transaction_id not in refunds or not _may_pay_back(other, purchases, near) or _says(side, other)
        ]
        for key in (entry.transaction_id for link in pairs for entry in (link.one, link.other)):
            del sides[key]
            refunds.pop(key, None)
            purchases.close(key)
        paid_back, unclear = linked((entry for key, entry in refunds.items() if key not in near), purchases)
        for link in paid_back:
            del refunds[link.one.transaction_id]
        if not pairs and not paid_back:
            break
        found += pairs + paid_back
    still_half = sum(map(len, claimed.values())) - sum(link.what == "half" for link in found)
    found.sort(key=lambda link: (link.one.booked, link.one.transaction_id))
    return Links(tuple(found), len(near), len(unclear), still_half)


def _may_pay_back(refund: Entry, purchases: Purchases, near: Matches) -> bool:
    """Whether something was bought at its merchant: money that may have reached no account of the workspace."""
    return any(purchase.transaction_id not in near for purchase in purchases.fitting(refund))


def _says(one: Entry, other: Entry) -> bool:
    return one.says_transfer or other.says_transfer
