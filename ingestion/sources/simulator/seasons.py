"""Weeks and years: how much more or less is spent on a weekday and in a month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

WEEK = {
    "every day": (1, 1, 1, 1, 1.1, 1.1, 0.9),
    "working days": (1.3, 1.3, 1.3, 1.3, 1.3, 0.25, 0.25),
    "weekend": (0.6, 0.6, 0.7, 0.9, 1.6, 1.9, 0.9),
    "shopping": (0.8, 0.8, 0.8, 0.9, 1.3, 2.0, 0.4),
}
"""Factor of each weekday, Monday first."""

YEAR = {
    "even": (1.0,) * 12,
    "christmas": (0.7, 0.8, 0.9, 1, 1, 0.9, 0.8, 0.9, 1, 1, 1.5, 2.4),
    "summer": (0.6, 0.6, 0.8, 1, 1.2, 1.5, 1.6, 1.5, 1.1, 0.9, 0.7, 0.7),
    "winter": (1.9, 1.8, 1.5, 1, 0.6, 0.4, 0.3, 0.3, 0.5, 0.9, 1.4, 1.8),
    "school": (1.1, 1, 1, 1, 1, 0.8, 0.5, 1.6, 1.8, 1, 1, 0.8),
}
"""Factor of each month, January first."""


def factor(week: str, year: str, day: date) -> float:
    return WEEK[week][day.weekday()] * YEAR[year][day.month - 1]


def months(start: date, end: date) -> Iterator[date]:
    """The first day of every month that has a day in [start, end]."""
    month = start.replace(day=1)
    while month <= end:
        yield month
        month = following(month)


def following(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def days(month: date) -> Iterator[date]:
    day, end = month, following(month)
    while day < end:
        yield day
        day += timedelta(days=1)


def working_day(day: date) -> date:
    """`day`, or the Friday before it when it falls on a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))
