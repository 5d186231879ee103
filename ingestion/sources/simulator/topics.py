"""The other three topics: people, accounts and budgets; monthly reports; reminders of bills."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from ingestion import events
from ingestion.sources.simulator.catalogue import PRICE_LEVEL
from ingestion.sources.simulator.chance import chance, identity, instant
from ingestion.sources.simulator.household import FOUNDED, Household
from ingestion.sources.simulator.seasons import following

Event = dict[str, Any]

_BUDGETS = (("Groceries", "food.groceries", 820), ("Eating out", "food.restaurants", 380), ("Leisure", "leisure", 260))
_REMINDED = (("Rent is due", "rent", 1), ("Pay the card bills", "cards", 28))
_AT_FOUNDING = datetime.combine(FOUNDED, time(9), UTC)


def founding(household: Household) -> Iterator[Event]:
    """The household's people, accounts, cards, own category, budgets and preferences, as first set up."""
    make = _Maker(household, _AT_FOUNDING)
    owner = household.members[0]
    for member in household.members:
        person = {"name": member.name, "email": member.email}
        place = {"locale": household.locale, "time_zone": household.time_zone}
        yield make.entity("user", member.user_id, person | place)
    workspace = {"name": household.name, "currency": household.currency, "time_zone": household.time_zone}
    yield make.entity("workspace", household.workspace_id, workspace)
    for place, member in enumerate(household.members):
        role = {"user_id": member.user_id, "role": "owner" if place == 0 else "editor"}
        yield make.entity("membership", identity(household.workspace_id, "membership", place), role)
    yield make.entity("account", household.checking_id, _account(household, "Checking", "checking", owner.user_id))
    yield make.entity("account", household.savings_id, _account(household, "Savings", "savings", owner.user_id))
    for member in household.members:
        name = f"Card of {member.name.split()[0]}"
        yield make.entity("account", member.card_id, _account(household, name, "card", member.user_id))
    lessons = {"category_id": str(household.lessons_id), "name": "Music lessons", "parent_id": "education"}
    yield make.entity("category", household.lessons_id, lessons)
    for name, category_id, amount in _BUDGETS:
        budget_id = identity(household.workspace_id, "budget", name)
        yield make.entity("budget", budget_id, _budget(household, name, category_id, amount, FOUNDED))
    week = {"name": "week_starts_on", "value": "monday"}
    yield make.entity("preference", identity(household.workspace_id, "preference"), week)


def changes(household: Household, month: date) -> Iterator[Event]:
    """Each January the budgets rise; each July the savings account gets the year's name."""
    version = month.year - FOUNDED.year + 1
    make = _Maker(household, instant(datetime.combine(month.replace(day=2), time(19, 30)), household.time_zone))
    if month.month == 1:
        for name, category_id, amount in _BUDGETS:
            budget_id = identity(household.workspace_id, "budget", name)
            grown = amount * (1 + 0.03 * (month.year - 2020))
            state = _budget(household, name, category_id, grown, month)
            yield make.entity("budget", budget_id, state, version=version)
    if month.month == 7:
        state = _account(household, f"Savings {month.year}", "savings", household.members[0].user_id)
        yield make.entity("account", household.savings_id, state, version=version)


def reports(seed: int, household: Household, month: date) -> Iterator[Event]:
    """The month's summary: requested on the first of the next, produced, delivered; one in ten fails at first."""
    rng = chance(seed, household.index, "report", month)
    report_id = identity(household.workspace_id, "report", month)
    at = instant(datetime.combine(following(month), time(6)), household.time_zone)
    steps = ["requested", "produced", "delivered"] if rng.random() > 0.1 else ["requested", "failed", "produced"]
    for version, operation in enumerate(steps, start=1):
        at += timedelta(seconds=rng.randrange(2, 40))
        done = operation in ("produced", "delivered")
        yield events.report(
            event_id=identity(report_id, version),
            workspace_id=household.workspace_id,
            actor_id=household.members[0].user_id,
            source="simulator",
            occurred_at=at,
            recorded_at=at,
            report_id=report_id,
            version=version,
            operation=operation,
            name="monthly_summary",
            parameters={"currency": household.currency},
            period=f"{month:%Y-%m}",
            format="pdf",
            location=f"reports/{report_id}.pdf" if done else None,
            error="the figures were not built yet" if operation == "failed" else None,
        )


def reminders(seed: int, household: Household, month: date) -> Iterator[Event]:
    """Each bill's reminder: set once, then due and delivered every month, snoozed now and then."""
    count = (month.year - FOUNDED.year) * 12 + month.month - FOUNDED.month
    for about, name, day in _REMINDED:
        rng = chance(seed, household.index, "reminder", name, month)
        due = instant(datetime.combine(month.replace(day=day), time(8)), household.time_zone)
        second = "snoozed" if rng.random() < 0.2 else "delivered"
        steps = [("due", due), (second, due + timedelta(seconds=rng.randrange(1, 50)))]
        for step, (operation, at) in enumerate(steps):
            yield _reminder(household, about, name, day, 2 + 2 * count + step, operation, due, at)


def reminders_set(household: Household) -> Iterator[Event]:
    """The first event of each reminder."""
    for about, name, day in _REMINDED:
        due = instant(datetime.combine(FOUNDED.replace(day=day), time(8)), household.time_zone)
        yield _reminder(household, about, name, day, 1, "set", due, _AT_FOUNDING)


def last_instant(end: date, household: Household) -> datetime:
    """The end of the day `end` in the household's zone."""
    return instant(datetime.combine(end + timedelta(days=1), time()), household.time_zone)


def monthly(seed: int, household: Household, month: date) -> Iterator[tuple[str, Event]]:
    """(topic, event) of these topics that belong to the month."""
    for event in changes(household, month):
        yield "user", event
    for event in reports(seed, household, month):
        yield "report", event
    for event in reminders(seed, household, month):
        yield "reminder", event


def _reminder(
    household: Household, about: str, name: str, day: int, version: int, operation: str, due: datetime, at: datetime
) -> Event:
    reminder_id = identity(household.workspace_id, "reminder", name)
    return events.reminder(
        event_id=identity(reminder_id, version),
        workspace_id=household.workspace_id,
        actor_id=household.members[0].user_id,
        source="simulator",
        occurred_at=at,
        recorded_at=at,
        reminder_id=reminder_id,
        version=version,
        operation=operation,
        about=about,
        due_at=due,
        repeat=f"FREQ=MONTHLY;BYMONTHDAY={day}",
        channel="push" if name == "rent" else "mail",
    )


def _account(household: Household, name: str, type: str, owner_id) -> dict[str, Any]:
    institution = {"de": "Spreebank", "ca": "Lakeshore Credit Union"}[household.region]
    currency = household.currency
    return {"name": name, "type": type, "currency": currency, "institution": institution, "owner_id": owner_id}


def _budget(household: Household, name: str, category_id: str, amount: float, starts_on: date) -> dict[str, Any]:
    return {
        "name": name,
        "category_id": category_id,
        "member_id": None,
        "period": "monthly",
        "starts_on": starts_on,
        "amount": Decimal(round(amount * PRICE_LEVEL[household.region])),
        "currency": household.currency,
        "rollover": name == "Leisure",
    }


class _Maker:
    """User-topic events of one household at one moment."""

    def __init__(self, household: Household, at: datetime):
        self._household, self._at = household, at

    def entity(self, entity: str, entity_id, state: dict[str, Any], *, version: int = 1) -> Event:
        return events.entity(
            entity=entity,
            entity_id=entity_id,
            state=state,
            workspace_id=None if entity == "user" else self._household.workspace_id,
            source="simulator",
            version=version,
            operation="created" if version == 1 else "updated",
            event_id=identity(entity_id, entity, version),
            actor_id=self._household.members[0].user_id,
            occurred_at=self._at,
            recorded_at=self._at,
        )
