"""Halves of transfers between own accounts: opposite amounts of two accounts, a few days apart, and no other choice."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from outlay.insights.links.entry import Entry, Link

APART = timedelta(days=4)
"""At most so long one account's booking follows the other's: a weekend and a holiday."""

Matches = dict[UUID, Entry | None]


def opposed(one: Entry, other: Entry) -> bool:
    """Whether they may be the halves of one transfer, by account, currency, amount and day."""
    return (
        one.account_id != other.account_id
        and one.currency == other.currency
        and one.amount == -other.amount
        and abs(one.booked - other.booked) <= APART
    )


def matches(sides: Iterable[Entry]) -> Matches:
    """Side -> the only one that is opposed to it, or None where several are; without those that have none.

    A sort and two sweeps: n log n, however many have the same amount on the same day.
    """
    alike: dict[tuple[str, Decimal], tuple[list[Entry], list[Entry]]] = defaultdict(lambda: ([], []))
    for side in sorted(sides, key=lambda side: side.booked):
        alike[side.currency, abs(side.amount)][side.amount < 0].append(side)
    found: Matches = {}
    for leaving, arriving in alike.values():
        found |= _swept(leaving, arriving) | _swept(arriving, leaving)
    return found


def _swept(sides: Sequence[Entry], others: Sequence[Entry]) -> Matches:
    """The matches of `sides` among `others`, both in the order of their days."""
    near: dict[UUID, deque[Entry]] = defaultdict(deque)  # account -> others that are near enough
    first = last = 0
    found: Matches = {}
    for side in sides:
        while last < len(others) and others[last].booked - side.booked <= APART:
            near[others[last].account_id].append(others[last])
            last += 1
        while first < last and side.booked - others[first].booked > APART:
            near[others[first].account_id].popleft()
            if not near[others[first].account_id]:
                del near[others[first].account_id]
            first += 1
        elsewhere = last - first - len(near.get(side.account_id, ()))
        if elsewhere == 1:
            account_id = next(account_id for account_id in near if account_id != side.account_id)
            found[side.transaction_id] = near[account_id][0]
        elif elsewhere:
            found[side.transaction_id] = None
    return found


def claims(known: Mapping[UUID, Entry]) -> dict[UUID, list[Entry]]:
    """Transaction -> those that name it as their other half, and that it does not name."""
    found: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in known.values():
        if entry.transfer_pair is not None:
            other = known.get(entry.transfer_pair)
            if other is None or other.transfer_pair != entry.transaction_id:
                found[entry.transfer_pair].append(entry)
    return dict(found)


def mended(known: Mapping[UUID, Entry], claims: Mapping[UUID, Sequence[Entry]]) -> list[Link]:
    """The halves that one transfer names, and no more than one, and that still fit it."""
    found = []
    for transaction_id, (claim, *others) in claims.items():
        half = known.get(transaction_id)
        if half is None or others or not half.may_be_half:
            continue
        if claim.posted and claim.kind == "transfer" and opposed(half, claim):
            found.append(Link("half", half, claim))
    return found
