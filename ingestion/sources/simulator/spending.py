"""Everyday spending by card: habits with their weeks and seasons."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from random import Random

from ingestion.sources.simulator.catalogue import HABITS, PRICE_LEVEL, SHOPS, Habit
from ingestion.sources.simulator.chance import chance, identity, moment, pick, poisson, price
from ingestion.sources.simulator.household import Household
from ingestion.sources.simulator.purchase import Purchase
from ingestion.sources.simulator.seasons import days, factor

_DAYS_A_MONTH = 30.4
_SPLIT = {"household": ("shopping.household", "food.groceries"), "groceries": ("food.groceries", "shopping.household")}


def everyday(seed: int, household: Household, month: date, away: Collection[date]) -> Iterator[Purchase]:
    """The month's purchases at home; on the days `away` only little is bought there."""
    for habit in HABITS:
        rng = chance(seed, household.index, habit.name, month)
        number = 0
        for day in days(month):
            mean = habit.a_month / _DAYS_A_MONTH * factor(habit.week, habit.year, day)
            for _ in range(poisson(rng, mean)):
                purchase = _purchase(seed, household, habit, day, number, rng)
                number += 1
                if day not in away:
                    yield purchase


def _purchase(seed: int, household: Household, habit: Habit, day: date, number: int, rng: Random) -> Purchase:
    descriptor, mcc = pick(rng, SHOPS[household.region][habit.name])
    inflation = 1 + 0.002 * ((day.year - 2020) * 12 + day.month)
    amount = price(rng, habit.typical * PRICE_LEVEL[household.region] * inflation, habit.spread, household.currency)
    member = rng.choice(household.members)
    return Purchase(
        identity(seed, household.index, habit.name, day, number),
        moment(rng, day, habit.hour),
        amount,
        household.currency,
        member.card_id,
        member.user_id,
        descriptor.replace("{n}", str(rng.randrange(101, 120) * 7)),
        mcc=mcc,
        parts=_parts(habit.name, amount, rng),
    )


def _parts(habit: str, amount: Decimal, rng: Random) -> tuple[tuple[str, Decimal], ...]:
    """Some larger purchases are split between two categories."""
    if habit not in _SPLIT or amount < 40 or rng.random() > 0.12:
        return ()
    first = (amount * Decimal("0.7")).quantize(Decimal("0.01"))
    return tuple(zip(_SPLIT[habit], (first, amount - first), strict=True))
