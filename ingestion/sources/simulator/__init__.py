"""Households that live, spend and make mistakes: events of all four topics, the same to the byte for a seed.

Everything is made month by month from the seed, so a period that overlaps another has the same events in the overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from ingestion.enrich import Enricher
from ingestion.sources.simulator import topics
from ingestion.sources.simulator.book import Truth, booked
from ingestion.sources.simulator.household import Household, households
from ingestion.sources.simulator.noise import disturbed
from ingestion.sources.simulator.purchase import Purchase
from ingestion.sources.simulator.recurring import card_bills, recurring
from ingestion.sources.simulator.seasons import months
from ingestion.sources.simulator.spending import everyday
from ingestion.sources.simulator.trips import abroad, trips

__all__ = ["Household", "Truth", "events", "households", "last_year", "truth"]

Event = dict[str, Any]


def last_year(today: date) -> tuple[date, date]:
    """First and last day of the twelve complete months before `today`'s."""
    month = today.replace(day=1)
    return month.replace(year=month.year - 1), month - timedelta(days=1)


def events(seed: int, start: date, end: date, count: int = 2, *, enricher: Enricher) -> Iterator[tuple[str, Event]]:
    """(topic, event) of `count` households for the days from `start` to `end`: household by household, month by
    month; a transaction's versions in their order.

    Events that happen after `end` (a refund, a correction) belong to a longer period and are left out.
    """
    for household in households(seed, count):
        for event in topics.founding(household):
            yield "user", event
        for event in topics.reminders_set(household):
            yield "reminder", event
        until = topics.last_instant(end, household)
        for month in months(start, end):
            timed = list(topics.monthly(seed, household, month))
            for versions, _ in _month(seed, household, month, start, end, enricher):
                timed.extend(("transaction", event) for event in versions)
            timed.sort(key=lambda entry: (entry[1]["recorded_at"], entry[1]["version"]))
            yield from ((topic, event) for topic, event in timed if event["recorded_at"] < until)


def truth(seed: int, start: date, end: date, count: int = 2, *, enricher: Enricher) -> Iterator[Truth]:
    """What is so about each transaction of `events` with the same arguments."""
    for household in households(seed, count):
        until = topics.last_instant(end, household)
        for month in months(start, end):
            for versions, so in _month(seed, household, month, start, end, enricher):
                if versions[0]["recorded_at"] < until:
                    yield so


def _month(
    seed: int, household: Household, month: date, start: date, end: date, enricher: Enricher
) -> Iterator[tuple[list[Event], Truth]]:
    for purchase in sorted(_purchases(seed, household, month), key=lambda made: (made.local, made.transaction_id)):
        if start <= purchase.local.date() <= end:
            yield booked(seed, household, purchase, enricher)


def _purchases(seed: int, household: Household, month: date) -> list[Purchase]:
    away = {day for trip in trips(seed, household, month.year) for day in trip.away()}
    bought = [*everyday(seed, household, month, away), *abroad(seed, household, month)]
    made = [*disturbed(seed, household, month, bought), *recurring(seed, household, month)]
    return [*made, *card_bills(seed, household, month, made)]
