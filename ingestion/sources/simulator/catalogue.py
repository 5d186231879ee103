"""Where the households spend, and how often and how much. The shops stand in `shops.csv` and `destinations.csv`.

Morocco's dirham has no European Central Bank rate, on purpose: what is spent there stays "not converted".
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Shop(NamedTuple):
    descriptor: str
    mcc: str


class Habit(NamedTuple):
    """One kind of everyday spending."""

    name: str
    a_month: float
    """Purchases of the household in an average month."""
    typical: float
    """Amount in the middle of the distribution, in units that `PRICE_LEVEL` scales."""
    spread: float
    """Standard deviation of the amount's logarithm."""
    week: str
    year: str
    hour: float


PRICE_LEVEL = {"de": 1.0, "ca": 1.35}

HABITS = (
    Habit("groceries", 22, 38, 0.6, "shopping", "even", 17),
    Habit("coffee", 24, 4.2, 0.3, "working days", "even", 9),
    Habit("lunch", 18, 12, 0.3, "working days", "even", 12.5),
    Habit("restaurant", 7, 52, 0.4, "weekend", "summer", 19.5),
    Habit("bar", 4, 24, 0.5, "weekend", "summer", 21.5),
    Habit("delivery", 5, 27, 0.3, "weekend", "winter", 19),
    Habit("transit", 16, 3.4, 0.2, "working days", "even", 8.5),
    Habit("taxi", 3, 17, 0.5, "weekend", "even", 22.5),
    Habit("fuel", 4, 58, 0.25, "every day", "summer", 18),
    Habit("parking", 6, 5.5, 0.6, "shopping", "even", 14),
    Habit("pharmacy", 5, 15, 0.7, "every day", "winter", 17.5),
    Habit("online", 9, 32, 0.8, "every day", "christmas", 21),
    Habit("clothes", 4, 62, 0.6, "shopping", "christmas", 15),
    Habit("household", 5, 24, 0.7, "shopping", "even", 15),
    Habit("electronics", 1.2, 140, 0.8, "shopping", "christmas", 16),
    Habit("books", 2.5, 18, 0.5, "shopping", "christmas", 16),
    Habit("events", 2.5, 34, 0.6, "weekend", "even", 19),
    Habit("hardware", 3, 42, 0.8, "shopping", "summer", 11),
    Habit("gifts", 1.5, 38, 0.6, "shopping", "christmas", 16),
    Habit("children", 3, 29, 0.6, "working days", "school", 16),
    Habit("pets", 2, 31, 0.4, "every day", "even", 17),
    Habit("hair", 1.5, 41, 0.4, "working days", "even", 17),
)


class Destination(NamedTuple):
    """Where a trip goes; `level` is how many units of its currency buy what one euro buys at home."""

    place: str
    currency: str
    level: float
    shops: tuple[Shop, ...]


FLIGHTS = {
    "de": (Shop("LUFTHANSA 2202{n}", "4511"), Shop("EASYJET {n}", "4511")),
    "ca": (Shop("AIR CANADA 014{n}", "4511"), Shop("WESTJET {n}", "4511")),
}
LODGING = (Shop("BOOKING.COM HOTEL", "7011"), Shop("AIRBNB * HM{n}", "7011"), Shop("IBIS HOTEL {n}", "7011"))


def _rows(name: str) -> Iterator[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _shops() -> dict[str, dict[str, list[Shop]]]:
    shops: dict[str, dict[str, list[Shop]]] = {}
    for row in _rows("shops.csv"):
        shops.setdefault(row["region"], {}).setdefault(row["habit"], []).append(Shop(row["descriptor"], row["mcc"]))
    return shops


def _destinations() -> dict[str, list[Destination]]:
    shops: dict[tuple[str, str, str, float], list[Shop]] = {}
    for row in _rows("destinations.csv"):
        where = (row["region"], row["place"], row["currency"], float(row["level"]))
        shops.setdefault(where, []).append(Shop(row["descriptor"], row["mcc"]))
    found: dict[str, list[Destination]] = {}
    for (region, *where), theirs in shops.items():
        found.setdefault(region, []).append(Destination(*where, tuple(theirs)))
    return found


SHOPS = _shops()
"""Region -> habit -> shops, the favourites first; `{n}` stands for a store or reference number."""
DESTINATIONS = _destinations()
"""Region -> where its households travel."""
