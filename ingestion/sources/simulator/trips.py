"""Trips abroad: two a year, booked ahead at home, spent in another currency."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from ingestion.sources.simulator.catalogue import DESTINATIONS, FLIGHTS, LODGING, PRICE_LEVEL, Destination, Shop
from ingestion.sources.simulator.chance import chance, identity, moment, poisson, price
from ingestion.sources.simulator.household import Household
from ingestion.sources.simulator.purchase import Purchase

_TRIP = frozenset(("trip",))


class Trip(NamedTuple):
    first: date
    days: int
    destination: Destination
    number: int

    def away(self) -> set[date]:
        return {self.first + timedelta(days=day) for day in range(self.days)}


def trips(seed: int, household: Household, year: int) -> list[Trip]:
    """A spring and a late-summer trip; where they go turns through the region's destinations."""
    rng = chance(seed, household.index, "trips", year)
    places = DESTINATIONS[household.region]
    return [
        Trip(
            date(year, month, rng.randrange(1, 15)),
            rng.randrange(5, 11),
            places[(2 * year + number + household.index) % len(places)],
            number,
        )
        for number, month in enumerate((rng.choice((3, 4, 5)), rng.choice((8, 9))))
    ]


def abroad(seed: int, household: Household, month: date) -> Iterator[Purchase]:
    """What the trips of `month`'s year cost in that month: flights six weeks before, lodging at arrival, days away."""
    for trip in trips(seed, household, month.year):
        for purchase in _of(seed, household, trip):
            if purchase.local.date().replace(day=1) == month:
                yield purchase


def _of(seed: int, household: Household, trip: Trip) -> Iterator[Purchase]:
    rng = chance(seed, household.index, "trip", trip.first)
    level = PRICE_LEVEL[household.region]

    def bought(
        what: str, day: date, hour: float, shop: Shop, typical: float, currency: str, spread: float = 0.5
    ) -> Purchase:
        member = rng.choice(household.members)
        return Purchase(
            identity(seed, household.index, "trip", trip.first, what),
            moment(rng, day, hour),
            price(rng, typical, spread, currency),
            currency,
            member.card_id,
            member.user_id,
            shop.descriptor.replace("{n}", str(rng.randrange(1000, 9999))),
            mcc=shop.mcc,
            tags=(f"trip {trip.destination.place}",),
            labels=_TRIP,
        )

    booked = max(trip.first - timedelta(days=42), date(trip.first.year, 1, 2))
    yield bought("flight", booked, 20, rng.choice(FLIGHTS[household.region]), 320 * level, household.currency, 0.3)
    rate = trip.destination.level
    currency = trip.destination.currency
    yield bought("lodging", trip.first, 15, rng.choice(LODGING), 95 * trip.days * rate, currency, 0.2)
    for day in sorted(trip.away()):
        for number in range(1 + poisson(rng, 3.2)):
            shop = rng.choice(trip.destination.shops)
            yield bought(f"{day}/{number}", day, rng.uniform(8, 22), shop, 17 * rate, currency)
