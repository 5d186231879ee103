"""Whether what an event names is there in its workspace: accounts, categories, and transactions linked with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from ingestion.rules import Problem
from outlay.ledger.drafts import LINKS
from outlay.ledger.queries import choices

NAMING = frozenset({"account_id", "category_id", "lines", "refund_of", "transfer_pair"})
"""The fields that name other things."""

Event = Mapping[str, Any]


def named_anew(before: Event, after: Event, fields: Collection[str]) -> frozenset[str]:
    """Those of `fields` that name another thing in the state `after`: what was named before was there."""
    return frozenset(name for name in fields if _things(after, name) - _things(before, name))


def _things(event: Event, field: str) -> set[Any]:
    return {line["category_id"] for line in event[field]} if field == "lines" else {event[field]}


def unknown(
    connection: psycopg.Connection, given: Sequence[tuple[Event, Collection[str]]]
) -> list[tuple[Event, Problem]]:
    """What transaction events of the session's workspace name and is not there.

    Args:
        given: each event with those of its fields that are looked at. What the others name was there once.
    """
    known = _Known(connection, given)
    return [(event, problem) for event, fields in given for problem in known.problems(event, fields)]


class _Known:
    """What of all that is named is there: each kind is asked for once, whatever the number of events."""

    def __init__(self, connection: psycopg.Connection, given: Sequence[tuple[Event, Collection[str]]]):
        named = [(event, field) for event, fields in given for field in fields if event[field]]
        fields = {field for _, field in named}
        self._accounts: set[UUID] = set()
        if "account_id" in fields:
            self._accounts = {each.account_id for each in choices.accounts(connection) if not each.closed}
        self._offered: Collection[str] = ()
        if fields & {"category_id", "lines"}:
            self._offered = frozenset(choices.categories(connection).offered())
        linked = {event[field] for event, field in named if field in LINKS}
        self._kinds = _kinds(connection, linked) if linked else {}

    def problems(self, event: Event, fields: Collection[str]) -> Iterator[Problem]:
        if "account_id" in fields and event["account_id"] not in self._accounts:
            yield _missing("account_id", "an open account of the workspace", event["account_id"])
        for field, category_id in _categories(event, fields):
            if category_id is not None and category_id not in self._offered:
                yield _missing(field, "a category of the workspace in use", category_id)
        for field in fields & LINKS.keys():
            if event[field] is not None:
                yield from self._link(event, field)

    def _link(self, event: Event, field: str) -> Iterator[Problem]:
        own, other = LINKS[field]
        if event["kind"] != own:
            yield Problem("linked", field, f"expected none, for it is no {own}, got {event[field]}")
        elif event[field] == event["transaction_id"] or self._kinds.get(event[field]) != other:
            yield _missing(field, f"another transaction of the workspace, of kind {other}", event[field])


def _categories(event: Event, fields: Collection[str]) -> Iterable[tuple[str, str | None]]:
    if "category_id" in fields:
        yield "category_id", event["category_id"]
    if "lines" in fields:
        for number, line in enumerate(event["lines"]):
            yield f"lines.{number}.category_id", line["category_id"]


def _kinds(connection: psycopg.Connection, transaction_ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(
        connection.execute(
            "SELECT transaction_id, kind FROM live.transactions "
            "WHERE workspace_id = live.current_workspace() AND transaction_id = ANY(%s)",
            (list(transaction_ids),),
        ).fetchall()
    )


def _missing(field: str, what: str, got: object) -> Problem:
    return Problem("known", field, f"expected {what}, got {got}")
