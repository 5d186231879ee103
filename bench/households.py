"""Households that buy for a year, as many days, merchants and categories as people have: cheap to make by the million.

As the log grows there are more households, each with its workspace, account and budget, and none buys more than the
others. So an event more costs in a long log what it costs in life. `bench.purchases` are of ten thousand shapes,
however many there are: of them a household's day would have hundreds.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from bench.purchases import TOPIC, acknowledged, around
from ingestion import events
from ingestion.codec import Codec
from ingestion.producer import EventProducer
from outlay.settings import settings

YEAR = 2_000
"""Transaction events of a household in its year."""

_FIRST_DAY, _DAYS = date(2025, 7, 1), 365
_SHAPE_BITS = 6  # 64 shapes of a day's purchases, of a merchant each
_AMENDED = 50  # of so many events one amends the purchase before it
_ABROAD = 20  # of so many shapes one is in another currency than the household's
_CATEGORIES = (
    *("food.groceries", "food.restaurants", "food.coffee", "food.fast_food", "transport.public", "transport.fuel"),
    *("transport.taxi", "utilities.mobile", "housing.garden", "leisure"),
)
_EVENT, _WORKSPACE, _PURCHASE, _ACCOUNT = (UUID(int=number, version=4) for number in range(4))  # in the Avro's order


class Street:
    """The households of one run, with ids that no other run has."""

    def __init__(self) -> None:
        self._codec = Codec(settings().registry)
        self._street, self._households = events.new_id(), 0
        self._ids = random.Random(self._street.int)  # noqa: S311
        self._shapes = [
            [[self._shape(day, number, version) for number in range(1 << _SHAPE_BITS)] for day in range(_DAYS)]
            for version in (1, 2)
        ]

    def move_in(self, count: int) -> None:
        """Write `count` transaction events of new households, day by day through their year."""
        homes = range(self._households, self._households + -(-count // YEAR))
        self._households = homes.stop
        each = -(-count // len(homes))
        with self._producer() as producer:
            for home in homes:
                for event in self._founded(home):
                    producer.send("user", event)
            acknowledged(producer)
            self._write(producer, ((homes[n % len(homes)], n // len(homes) * _DAYS // each) for n in range(count)))

    def go_on(self, count: int, *, households: int = 100) -> None:
        """Write `count` transaction events of some households that are there, spread over all, in their last month."""
        homes = [number * self._households // households for number in range(households)]
        with self._producer() as producer:
            self._write(producer, ((homes[n % households], _DAYS - 30 + n * 30 // count) for n in range(count)))

    def _producer(self) -> EventProducer:
        return EventProducer(settings().bootstrap, self._codec, client_id="bench", linger=0.02)

    def _write(self, producer: EventProducer, wanted: Iterable[tuple[int, int]]) -> None:
        for home, day, number, version, purchase in self._bought(wanted):
            workspace_id, account_id = self._whose(home)
            ids = (self._new_id(), workspace_id, purchase, account_id)
            parts = self._shapes[version - 1][day][number]
            value = b"".join(part for pair in zip(parts, (*map(_text, ids), b""), strict=True) for part in pair)
            producer.send_encoded(TOPIC, {"event_id": ids[0], "workspace_id": workspace_id}, value)
        acknowledged(producer)

    def _bought(self, wanted: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int, int, UUID]]:
        """Household, day, shape, version and purchase of each event; now and then one that amends the one before."""
        last: tuple[int, int, int, int, UUID] | None = None
        for number, (home, day) in enumerate(wanted):
            if last is not None and number % _AMENDED == 0:
                yield (*last[:3], 2, last[4])
            else:
                last = home, day, self._ids.getrandbits(_SHAPE_BITS), 1, self._new_id()
                yield last

    def _new_id(self) -> UUID:
        return UUID(int=self._ids.getrandbits(128), version=4)

    def _whose(self, home: int) -> tuple[UUID, UUID]:
        """Workspace and account of a household."""
        return UUID(int=self._street.int ^ home << 1), UUID(int=self._street.int ^ (home << 1 | 1))

    def _founded(self, home: int) -> Iterator[dict[str, Any]]:
        workspace_id, account_id = self._whose(home)
        owner = events.owner_of(workspace_id)
        account = {"name": "Card", "type": "card", "currency": "CAD", "institution": None, "owner_id": owner}
        budget = {"name": "Food", "category_id": "food", "member_id": None, "period": "monthly", "rollover": True}
        budget |= {"starts_on": _FIRST_DAY, "amount": Decimal(800), "currency": "CAD"}
        for entity, entity_id, state in (
            ("workspace", workspace_id, {"name": f"Household {home}", "currency": "CAD", "time_zone": "UTC"}),
            ("account", account_id, account),
            ("budget", events.derived_id(workspace_id, "budget"), budget),
        ):
            yield events.entity(
                entity=entity, entity_id=entity_id, state=state, workspace_id=workspace_id, source="simulator"
            )

    def _shape(self, day: int, number: int, version: int) -> tuple[bytes, ...]:
        event = events.transaction(
            event_id=_EVENT,
            workspace_id=_WORKSPACE,
            transaction_id=_PURCHASE,
            account_id=_ACCOUNT,
            version=version,
            operation="recorded" if version == 1 else "amended",
            kind="expense",
            occurred_on=_FIRST_DAY + timedelta(days=day),
            amount=Decimal(250 + (day * 37 + number * 811) % 9_000) / 100,
            currency="USD" if number % _ABROAD == 0 else "CAD",
            source="import",
            merchant=f"Merchant {number}",
            description=f"MERCHANT {number} #{day:03} TORONTO ON",
            category_id=_CATEGORIES[(number + version) % len(_CATEGORIES)],
            category_source="rule",
            category_confidence=0.9,
            decided_by="bench",
        )
        return around(self._codec.encode(TOPIC, event), _EVENT, _WORKSPACE, _PURCHASE, _ACCOUNT)


def _text(identity: UUID) -> bytes:
    return str(identity).encode()
