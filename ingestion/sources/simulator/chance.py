"""Randomness and ids that depend on what they are for, not on what was drawn before: a month is always the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from ingestion.events import derived_id

T = TypeVar("T")
_NO_MINOR_UNITS = frozenset(("JPY", "KRW"))


def chance(*about: object) -> Random:
    """A generator of its own for one concern, such as (seed, household, "groceries", month)."""
    return Random("/".join(map(str, about)))  # noqa: S311  simulated spending is no secret


def identity(*about: object) -> UUID:
    """The UUIDv5 of a place in the simulation."""
    return derived_id("simulator", *about)


def poisson(rng: Random, mean: float) -> int:
    """A Poisson variate by Knuth's product of uniforms; for the small means of a day's purchases."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def price(rng: Random, typical: float, spread: float, currency: str) -> Decimal:
    """A log-normal amount around `typical`, in the currency's minor units."""
    return money(typical * math.exp(rng.gauss(0, spread)), currency)


def money(amount: float, currency: str) -> Decimal:
    digits = 0 if currency in _NO_MINOR_UNITS else 2
    return max(Decimal(f"{amount:.{digits}f}"), Decimal(1).scaleb(-digits))


def pick(rng: Random, choices: Sequence[T]) -> T:
    """The first are the favourites: each is a third less likely than the one before."""
    return rng.choices(choices, weights=[0.66**place for place in range(len(choices))])[0]


def moment(rng: Random, day: date, hour: float, spread: float = 1.5) -> datetime:
    """A naive local time of `day` around `hour`."""
    minutes = min(max(rng.gauss(hour, spread) * 60, 6 * 60), 23 * 60 + 55)
    return datetime.combine(day, time()) + timedelta(minutes=int(minutes), seconds=rng.randrange(60))


def instant(local: datetime, time_zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(time_zone)).astimezone(ZoneInfo("UTC"))
