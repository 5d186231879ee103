"""What comes every month: pay, rent, bills, subscriptions with their price rises, savings, and the cards' bills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from ingestion.sources.simulator.catalogue import PRICE_LEVEL
from ingestion.sources.simulator.chance import chance, identity, money, price
from ingestion.sources.simulator.household import Household
from ingestion.sources.simulator.purchase import Purchase
from ingestion.sources.simulator.seasons import YEAR, following, working_day


class Bill(NamedTuple):
    name: str
    day: int
    typical: float
    category_id: str
    descriptor: dict[str, str]
    season: str = "even"
    spread: float = 0.0
    rise: float = 0.03
    """Of the price, once a year."""
    rises_in: int = 1
    """The month of the year in which the price rises."""


BILLS = (
    Bill(
        "rent",
        1,
        1150,
        "housing.rent",
        {"de": "HAUSVERWALTUNG SPREEBLICK MIETE", "ca": "MAPLE LEAF PROPERTY RENT"},
        rises_in=4,
    ),
    Bill(
        "electricity",
        5,
        62,
        "utilities.electricity",
        {"de": "VATTENFALL EUROPE", "ca": "TORONTO HYDRO"},
        "winter",
        0.08,
    ),
    Bill("heating", 6, 70, "utilities.heating", {"de": "GASAG AG", "ca": "ENBRIDGE GAS"}, "winter", 0.08),
    Bill(
        "internet", 8, 39.95, "utilities.internet", {"de": "TELEKOM DEUTSCHLAND", "ca": "ROGERS"}, rise=0.05, rises_in=3
    ),
    Bill(
        "mobile", 9, 29.99, "utilities.mobile", {"de": "VODAFONE GMBH", "ca": "TELUS MOBILITY"}, rise=0.04, rises_in=10
    ),
    Bill("health insurance", 3, 88, "insurance.health", {"de": "TECHNIKER KRANKENKASSE", "ca": "SUN LIFE"}, rises_in=1),
    Bill("home insurance", 4, 21.5, "insurance.home", {"de": "HUK-COBURG", "ca": "INTACT INSURANCE"}, rises_in=7),
    Bill(
        "gym", 2, 34.9, "health.fitness", {"de": "URBAN SPORTS CLUB", "ca": "GOODLIFE FITNESS"}, rise=0.06, rises_in=2
    ),
    Bill("video", 12, 12.99, "leisure.streaming", {"de": "PAYPAL *NETFLIX", "ca": "NETFLIX.COM"}, rise=0.1, rises_in=5),
    Bill("music", 15, 10.99, "leisure.streaming", {"de": "PAYPAL *SPOTIFY", "ca": "SPOTIFY"}, rise=0.09, rises_in=8),
    Bill("cloud", 18, 2.99, "leisure.software", {"de": "GOOGLE *GOOGLE ONE", "ca": "APPLE.COM/BILL"}, rise=0.0),
    Bill("news", 20, 19.9, "leisure.books", {"de": "ZEITVERLAG", "ca": "THE GLOBE AND MAIL"}, rise=0.07, rises_in=11),
    Bill("charity", 28, 20, "giving.charity", {"de": "AERZTE OHNE GRENZEN", "ca": "CANADIAN RED CROSS"}, rise=0.0),
    Bill("lessons", 10, 75, "", {"de": "KLAVIERUNTERRICHT FR. BRANDT", "ca": "PIANO LESSONS MS. CHEN"}, rises_in=9),
)
_SALARY_DAY = {"de": 27, "ca": 15}
_CENT = Decimal("0.01")


def recurring(seed: int, household: Household, month: date) -> Iterator[Purchase]:
    """The month's pay, bills and savings."""
    yield from _pay(seed, household, month)
    for bill in BILLS:
        yield _bill(seed, household, bill, month)
    saved = money(sum(member.salary for member in household.members) * 0.12, household.currency)
    yield from _transfer(
        seed, household, month.replace(day=28), "savings", saved, household.savings_id, "transfer.savings", "Savings"
    )


def card_bills(seed: int, household: Household, month: date, bought: Iterable[Purchase]) -> Iterator[Purchase]:
    """Each card's purchases in the household's currency, paid from the checking account on the month's last day."""
    owed = dict.fromkeys((member.card_id for member in household.members), Decimal(0))
    for purchase in bought:
        if purchase.account_id in owed and purchase.currency == household.currency:
            owed[purchase.account_id] += purchase.amount
    for place, (card_id, amount) in enumerate(owed.items()):
        if amount > 0:
            last = following(month) - timedelta(days=1)
            yield from _transfer(
                seed, household, last, f"card {place}", amount, card_id, "transfer.card_payment", "Card payment"
            )


def _pay(seed: int, household: Household, month: date) -> Iterator[Purchase]:
    for place, member in enumerate(household.members):
        raises = 1.025 ** (month.year - 2020)
        amount = money(member.salary * raises * (1.8 if month.month == 12 else 1.0), household.currency)
        yield _income(
            identity(seed, household.index, "salary", place, month),
            household,
            working_day(month.replace(day=_SALARY_DAY[household.region])),
            amount,
            member.employer,
            "income.salary",
        )
    if month.month == 6:
        rng = chance(seed, household.index, "tax refund", month)
        payer = {"de": "FINANZAMT BERLIN", "ca": "CANADA REVENUE AGENCY"}[household.region]
        amount = price(rng, 620, 0.3, household.currency)
        refund_id = identity(seed, household.index, "tax refund", month)
        yield _income(refund_id, household, date(month.year, 6, 17), amount, payer, "income.tax_refund")


def _income(transaction_id, household: Household, day: date, amount: Decimal, payer: str, category_id: str) -> Purchase:
    return Purchase(
        transaction_id,
        datetime.combine(day, time(7, 5)),
        -amount,
        household.currency,
        household.checking_id,
        household.members[0].user_id,
        f"{payer} {day:%m/%Y}",
        kind="income",
        counterparty=payer.title(),
        category_id=category_id,
    )


def _bill(seed: int, household: Household, bill: Bill, month: date) -> Purchase:
    rng = chance(seed, household.index, bill.name, month)
    rises = month.year - 2020 + (month.month >= bill.rises_in)
    typical = bill.typical * PRICE_LEVEL[household.region] * (1 + bill.rise) ** rises
    amount = money(typical * YEAR[bill.season][month.month - 1], household.currency)
    if bill.spread:
        amount = price(rng, float(amount), bill.spread, household.currency)
    rose = bill.rise > 0 and month.month == bill.rises_in and not bill.spread
    return Purchase(
        identity(seed, household.index, bill.name, month),
        datetime.combine(month.replace(day=bill.day), time(6, rng.randrange(60))),
        amount,
        household.currency,
        household.checking_id,
        household.members[0].user_id,
        bill.descriptor[household.region],
        category_id=bill.category_id or str(household.lessons_id),
        tags=("fixed",),
        labels=frozenset(("price_rise",)) if rose else frozenset(),
    )


def _transfer(
    seed: int, household: Household, day: date, name: str, amount: Decimal, to: object, category_id: str, text: str
) -> Iterator[Purchase]:
    """Both sides, each naming the other: out of the checking account, into `to`."""
    out_id, in_id = (identity(seed, household.index, "transfer", name, side, day) for side in ("out", "in"))
    local = datetime.combine(day, time(5, 30))
    actor = household.members[0].user_id
    common = {"kind": "transfer", "category_id": category_id, "counterparty": household.name}
    yield Purchase(
        out_id, local, amount, household.currency, household.checking_id, actor, text, transfer_pair=in_id, **common
    )
    yield Purchase(in_id, local, -amount, household.currency, to, actor, text, transfer_pair=out_id, **common)
