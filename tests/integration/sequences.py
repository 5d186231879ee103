"""What may happen in a workspace, in any order and across any builds, as steps that can be written down and kept.

A sequence is a list of rounds, one for each build; a round is a list of steps in the order of the log. A step says
everything that its event says, so a sequence means the same whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid5

from ingestion import events
from tests.integration.warehouse import NOW

Step = dict[str, Any]
Sequence = list[list[Step]]

_FIRST_DAY, _DAYS = date(2025, 12, 20), 110
_CURRENCIES = ("EUR", "EUR", "USD", "JPY", "XAF")
_CATEGORIES = ("food.groceries", "food.restaurants", "family.pets", "own 1", "own 2", None)
_MERCHANTS = ("Bakery", "Apiary", "Honey & Co", None)
_PERIODS = (*("monthly", "payday", "biweekly") * 2, "custom", "unknown")
_KINDS = ("expense", "expense", "expense", "refund", "income", "transfer")


@dataclass
class _Told:
    """What a sequence has said so far, so that it can go on from there."""

    rng: Random
    current: dict[int, Step] = field(default_factory=dict)
    """The newest step of each transaction."""
    entities: dict[tuple[str, int], Step] = field(default_factory=dict)
    all: list[Step] = field(default_factory=list)
    events: int = 0

    def tell(self, step: Step) -> Step:
        self.events += 1
        step = {"event": self.events, **step}
        self.all.append(step)
        return step


def generate(rng: Random, rounds: int) -> Sequence:
    """A sequence of so many rounds."""
    told = _Told(rng)
    return [[step for _ in range(rng.randint(3, 12)) for step in _happening(told)] for _ in range(rounds)]


def regular(rng: Random, rounds: int, *, days_between: int, among_others: bool = False) -> Sequence:
    """One payment a round, each so many days after the last; where asked, with others at the same merchant."""
    told = _Told(rng)
    steps = []
    for payment in range(rounds):
        day = _FIRST_DAY + timedelta(days=days_between * payment)
        paid = [(day, "12.50"), (day + timedelta(days=3), f"{40 + 9 * payment}.00")][: 1 + among_others]
        own = {"kind": "expense", "lines": [], "currency": "EUR", "merchant": "Streaming"}
        steps.append([_recorded(told, **own, day=str(day), amount=amount)[0] for day, amount in paid])
    return steps


def _happening(told: _Told) -> list[Step]:
    (happening,) = told.rng.choices(list(_HAPPENINGS), list(_HAPPENINGS.values()))
    return happening(told) or _recorded(told)


def _recorded(told: _Told, **own: Any) -> list[Step]:
    number = len(told.current) + 1
    told.current[number] = told.tell(
        {"transaction": number, "version": 1, "operation": "recorded", **_fields(told.rng), **own}
    )
    return [told.current[number]]


def _standing(told: _Told) -> list[Step]:
    """What is paid again and again: a bill, a subscription, wages; one may be late, missing, or of another amount."""
    rng = told.rng
    fields = {**_fields(rng), "lines": [], "merchant": rng.choice(("Landlord", "Streaming", "Bakery"))}
    between, day = rng.choice((7, 14, 30, 30)), _FIRST_DAY + timedelta(days=rng.randrange(20))
    steps = []
    for _ in range(rng.randint(3, 6)):
        if rng.random() < 0.1:
            fields["amount"] = f"{Decimal(fields['amount']) * rng.choice((1, 2)):.2f}"
        steps += _recorded(told, **{**fields, "day": str(day)})
        day += timedelta(days=between * rng.choice((1, 1, 1, 1, 1, 1, 1, 2)) + rng.choice((-1, 0, 0, 0, 1, 2)))
    return steps


def _amended(told: _Told) -> list[Step] | None:
    """One field or several change: a day in another month, a currency, a category, an account, the lines."""
    if not told.current:
        return None
    before = told.rng.choice(list(told.current.values()))
    fresh = _fields(told.rng)
    changed = told.rng.sample(sorted(fresh), told.rng.randint(1, 3))
    if {"kind", "amount", "lines"} & set(changed):
        changed += ["kind", "amount", "lines"]  # they belong together
    fields = {name: fresh[name] for name in changed}
    return [_next(told, before, operation="amended", **fields)]


def _voided_or_restored(told: _Told) -> list[Step] | None:
    if not told.current:
        return None
    before = told.rng.choice(list(told.current.values()))
    return [_next(told, before, operation="restored" if before["operation"] == "voided" else "voided")]


def _repeated(told: _Told) -> list[Step] | None:
    return [told.rng.choice(told.all)] if told.all else None


def _replayed(told: _Told) -> list[Step]:
    """Everything again, as when a producer starts over."""
    return list(told.all)


def _stale(told: _Told) -> list[Step] | None:
    """A version that another event has taken already, by a writer who did not know."""
    if not told.current:
        return None
    newest = told.rng.choice(list(told.current.values()))
    version = told.rng.randint(1, newest["version"])
    own = {"operation": "amended", **_fields(told.rng), "version": version}
    return [told.tell({**_without_event(newest), **own})]


def _another_payload(told: _Told) -> list[Step] | None:
    """An event's id again, with something else in it."""
    if not told.current:
        return None
    before = told.rng.choice(list(told.current.values()))
    return [{**before, "version": before["version"] + 1, **_fields(told.rng)}]


def _quarantined(told: _Told) -> list[Step] | None:
    """The next version breaks a rule: it is seen, and never current."""
    if not told.current:
        return None
    before = told.rng.choice(list(told.current.values()))
    step = told.tell({**_without_event(before), "version": before["version"] + 1, "quarantined": True})
    told.current[before["transaction"]] = {**before, "version": before["version"] + 1}
    return [step]


def _account(told: _Told) -> list[Step]:
    names, owner = ("Card", "Old card", "Joint account"), told.rng.choice(("person 1", "person 2", None))
    state = {"name": told.rng.choice(names), "type": "card", "currency": "EUR", "institution": None, "owner_id": owner}
    return [_changed(told, "account", told.rng.randint(1, 2), state)]


def _category(told: _Told) -> list[Step]:
    """A category of one's own is made or moved in the tree, or a seed's is renamed."""
    number = told.rng.randint(1, 3)
    of = f"own {number}" if number < 3 else "family.pets"
    parent = told.rng.choice(("food", "family", "own 1", "own 2", ""))
    state = {"category_id": of, "name": told.rng.choice(("Bees", "Honey")), "parent_id": parent}
    return [_changed(told, "category", number, state)]


def _workspace(told: _Told) -> list[Step]:
    state = {"name": "Home", "currency": told.rng.choice(("EUR", "EUR", "USD", "JPY")), "time_zone": None}
    return [_changed(told, "workspace", 1, state)]


def _membership(told: _Told) -> list[Step]:
    """Somebody joins, leaves, has another role, or is in another workspace too; a membership may pass to another."""
    number = told.rng.randint(1, 3)
    state = {"user_id": f"person {told.rng.randint(1, 2)}", "role": told.rng.choice(("owner", "editor", "viewer"))}
    return [_changed(told, "membership", number, state, elsewhere=number == 3)]


def _person(told: _Told) -> list[Step]:
    name = told.rng.choice(("Ada", "Grace", None))
    state = {"name": name, "email": None, "locale": "de-AT", "time_zone": "Europe/Vienna"}
    return [_changed(told, "user", told.rng.randint(1, 2), state)]


def _budget(told: _Told) -> list[Step]:
    """A budget is set, raised from some day on, narrowed to a category or a person, or ends."""
    rng, number = told.rng, told.rng.randint(1, 3)
    state = {
        "name": "Budget",
        "category_id": rng.choice(("food", "food", "family", "food.groceries", "own 1", None, None)),
        "member_id": rng.choice(("person 1", None, None, None)),
        "period": rng.choice(_PERIODS),
        "starts_on": str(_FIRST_DAY + timedelta(days=rng.randrange(-40, _DAYS // 2))),
        "amount": f"{rng.randint(0, 40_000) / 100:.2f}",
        "currency": rng.choice(("EUR", "EUR", "USD")),
        "rollover": rng.random() < 0.75,
    }
    return [_changed(told, "budget", number, state, hours=24 * _DAYS)]


def _report(told: _Told) -> list[Step]:
    return [_delivered(told, "report", ("requested", "produced", "delivered", "failed"))]


def _reminder(told: _Told) -> list[Step]:
    return [_delivered(told, "reminder", ("set", "due", "delivered", "snoozed", "failed"))]


def _delivered(told: _Told, subject: str, operations: tuple[str, ...]) -> Step:
    """The next step of a report or reminder, or one that comes too late."""
    number = told.rng.randint(1, 2)
    before = told.entities.get((subject, number))
    step = told.tell(
        {
            "subject": subject,
            "number": number,
            "version": before["version"] + told.rng.choice((1, 1, 1, 0)) if before else 1,
            "operation": told.rng.choice(operations),
            "hours": told.rng.randint(-48, 48),
            "quarantined": told.rng.random() < 0.1,
        }
    )
    told.entities[subject, number] = step
    return step


def _changed(
    told: _Told, entity: str, number: int, state: dict | None, *, elsewhere: bool = False, hours: int = 48
) -> Step:
    before = told.entities.get((entity, number))
    version = before["version"] + 1 if before else 1
    operation = "created" if version == 1 else told.rng.choice(("updated", "updated", "deleted"))
    if entity == "workspace" and operation == "deleted":
        operation = "updated"
    if operation == "deleted" and told.rng.random() < 0.5:
        state = None  # a deletion need not say what it deletes
    step = told.tell(
        {
            "entity": entity,
            "number": number,
            "version": version,
            "operation": operation,
            "state": state,
            "elsewhere": elsewhere,
            "hours": told.rng.randint(-hours, 48),  # what the writer's clock said
            # A workspace's currency is compared with live's, which judges no content.
            "quarantined": entity != "workspace" and told.rng.random() < 0.1,
        }
    )
    told.entities[entity, number] = step
    return step


def _next(told: _Told, before: Step, **fields: Any) -> Step:
    step = told.tell({**_without_event(before), "version": before["version"] + 1, **fields})
    told.current[step["transaction"]] = step
    return step


def _without_event(step: Step) -> Step:
    return {name: value for name, value in step.items() if name not in ("event", "quarantined")}


def _fields(rng: Random) -> Step:
    kind = rng.choice(_KINDS)
    cents = rng.randint(1, 20_000) * (-1 if kind in ("refund", "income") else 1)
    lines = []
    if rng.random() < 0.2:
        first = rng.randint(0, abs(cents)) * (1 if cents > 0 else -1)
        lines = [[f"{part / 100:.2f}", rng.choice(_CATEGORIES)] for part in (first, cents - first)]
    return {
        "day": str(_FIRST_DAY + timedelta(days=rng.randrange(_DAYS))),
        "kind": kind,
        "amount": f"{cents / 100:.2f}",
        "lines": lines,
        "currency": rng.choice(_CURRENCIES),
        "category": rng.choice(_CATEGORIES),
        "merchant": rng.choice(_MERCHANTS),
        "account": rng.randint(1, 2),
    }


_HAPPENINGS = {
    _recorded: 50,  # most are never touched again, so that what does touch them shows
    _standing: 5,
    _amended: 20,
    _voided_or_restored: 8,
    _repeated: 6,
    _stale: 6,
    _another_payload: 6,
    _quarantined: 6,
    _replayed: 1,
    _account: 6,
    _category: 8,
    _workspace: 8,
    _membership: 8,
    _person: 6,
    _budget: 10,
    _report: 6,
    _reminder: 6,
}
"""What may happen, and how often beside the others."""


def events_of(steps: list[Step], workspace_id: UUID) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(topic, event, whether silver is to quarantine it) of each step, in that workspace."""
    for step in steps:
        if "transaction" in step:
            yield "transaction", _transaction(step, workspace_id), step.get("quarantined", False)
        elif "subject" in step:
            yield step["subject"], _step(step, workspace_id), step["quarantined"]
        else:
            yield "user", _entity(step, workspace_id), step.get("quarantined", False)


def _transaction(step: Step, workspace_id: UUID) -> dict[str, Any]:
    lines = [
        events.line(
            Decimal(amount), line_id=_id(workspace_id, f"line {number}"), category_id=_own(workspace_id, category)
        )
        for number, (amount, category) in enumerate(step["lines"])
    ]
    return events.transaction(
        workspace_id=workspace_id,
        event_id=_id(workspace_id, f"event {step['event']}"),
        transaction_id=_id(workspace_id, f"transaction {step['transaction']}"),
        version=step["version"],
        operation=step["operation"],
        kind=step["kind"],
        amount=Decimal(step["amount"]).quantize(Decimal("0.0001")),
        currency=step["currency"],
        lines=lines,
        occurred_on=date.fromisoformat(step["day"]),
        category_id=_own(workspace_id, step["category"]),
        merchant=step["merchant"],
        account_id=_id(workspace_id, f"account {step['account']}"),
        source="app",
        occurred_at=NOW,
        recorded_at=NOW,
    )


def _step(step: Step, workspace_id: UUID) -> dict[str, Any]:
    at, subject = NOW + timedelta(hours=step["hours"]), step["subject"]
    own = {"name": "monthly_summary", "period": "2026-04", "format": "pdf"}
    if subject == "reminder":
        own = {"about": "Rent is due", "due_at": NOW + timedelta(hours=step["version"] // 3)}
    return getattr(events, subject)(
        **{f"{subject}_id": _id(workspace_id, f"{subject} {step['number']}")},
        **own,
        workspace_id=workspace_id,
        event_id=_id(workspace_id, f"event {step['event']}"),
        version=step["version"],
        operation=step["operation"],
        source="app",
        occurred_at=at,
        recorded_at=at,
    )


def _entity(step: Step, workspace_id: UUID) -> dict[str, Any]:
    entity, state = step["entity"], step["state"] and dict(step["state"])
    if entity == "category" and state:
        state |= {name: _own(workspace_id, state[name]) for name in ("category_id", "parent_id")}
    for person in ("user_id", "owner_id", "member_id"):
        if state and state.get(person):
            state[person] = _id(workspace_id, state[person])
    if entity == "budget" and state:
        state["category_id"] = _own(workspace_id, state["category_id"])
        state["starts_on"] = date.fromisoformat(state["starts_on"])
        state["amount"] = Decimal(state["amount"]).quantize(Decimal("0.0001"))
    of = _id(workspace_id, "elsewhere") if step["elsewhere"] else workspace_id
    named = {"workspace": of, "user": _id(workspace_id, f"person {step['number']}")}
    event = events.entity(
        entity=entity,
        entity_id=named.get(entity) or _id(workspace_id, f"{entity} {step['number']}"),
        workspace_id=None if entity == "user" else of,
        event_id=_id(workspace_id, f"event {step['event']}"),
        version=step["version"],
        operation=step["operation"],
        state=state or {},
        source="app",
        occurred_at=NOW + timedelta(hours=step["hours"]),
        recorded_at=NOW + timedelta(hours=step["hours"]),
    )
    return event if state else {**event, entity: None}


def _own(workspace_id: UUID, category: str | None) -> str | None:
    """A category's id: those of a seed are what they are."""
    return str(_id(workspace_id, category)) if category and category.startswith("own") else category


def _id(workspace_id: UUID, name: str) -> UUID:
    return uuid5(workspace_id, name)
