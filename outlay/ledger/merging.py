"""One category takes the place of another: its expenses and what hangs below it move there. And back again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack
from uuid import UUID

import psycopg

from ingestion.events import derived_id
from ingestion.rules import Problem
from outlay import money
from outlay.ledger import categories, entities
from outlay.ledger.amendments import Opened, has_no_next, pages
from outlay.ledger.commands import Answer, Change, Ledger, Refused
from outlay.ledger.drafts import ruled
from outlay.ledger.queries.category_tree import Categories
from outlay.ledger.states import current_transactions
from outlay.ledger.undoing import Undone, given_back

_IN_CATEGORY = """
    transaction_id > %(after)s AND operation <> 'voided' AND (category_id = %(category_id)s OR EXISTS (
        SELECT FROM live.transaction_lines AS l WHERE l.workspace_id = live.current_workspace()
            AND l.transaction_id = live.transactions.transaction_id AND l.category_id = %(category_id)s))
    ORDER BY transaction_id LIMIT %(page)s
"""
_RUNS = """
    WITH own AS (
        SELECT event_id, version, operation, state FROM live.events
        WHERE workspace_id = live.current_workspace() AND entity = 'category' AND entity_id = %(entity_id)s
            AND decision = 'accepted'
    ),

    archived AS (SELECT max(version) AS last FROM own WHERE operation = 'deleted')

    SELECT event_id FROM own, archived
    WHERE version <= last AND state -> 'category' ->> 'merged_into' IS NOT NULL
        AND version > coalesce((SELECT max(version) FROM own WHERE operation <> 'deleted' AND version < last), -1)
    ORDER BY version
"""
"""By which a category that is in use was merged when it was last out of use."""
_MOVED = (
    "SELECT e.state -> 'category' ->> 'category_id', e.version FROM live.entities AS e "
    "INNER JOIN live.events AS made USING (workspace_id, event_id, entity, entity_id) "
    "WHERE e.workspace_id = live.current_workspace() AND e.entity = 'category' AND made.correlation_id = ANY(%s) "
    "AND made.decision = 'accepted'"
)
"""Categories whose newest version one of the runs has made."""


_BANKS = ("feed", "import")


@dataclass
class Moved:
    """What went from one category to another."""

    expenses: int = 0
    categories: int = 0
    """Directly below it; what is below them goes with them."""
    set_aside: int = 0
    """Expenses that break a rule of quarantine, to be corrected first, or are pending with whoever sent them."""
    changed_since: int = 0
    """What somebody changed meanwhile: it is left."""


def check(tree: Categories, category_id: str, into: str) -> None:
    """Whether one category can take the place of the other.

    Raises:
        Refused: it is none in use, or hangs below it, or is of another kind, or what comes along does not fit there.
    """
    categories.check_unneeded(tree, category_id)
    if into not in tree or tree.is_archived(into):
        raise Refused([Problem("known", "into", f"expected a category of the workspace in use, got {into}")])
    if category_id in tree.upwards(into):
        raise Refused([Problem("no_circle", "into", f"expected no category below it or itself, got {into}")])
    if tree.kind(category_id) != tree.kind(into):
        message = f"expected a category of {tree.kind(category_id)}, got {into}, of {tree.kind(into)}"
        raise Refused([Problem("same_kind", "into", message)])
    names = {tree[each].name.casefold() for each in tree.children(into) if not tree.is_archived(each)}
    for child in tree.children(category_id):
        categories.check_depth(tree, into, child, field="into")
        if child != into and tree[child].name.casefold() in names:
            message = f"there is a category {tree[child].name!r} below both: merge these first, or rename one"
            raise Refused([Problem("once", "into", message)])


def merge(
    ledger: Ledger, tree: Categories, workspace_id: UUID, category_id: str, into: str, **change: Unpack[Change]
) -> Answer:
    """Take a category out of use for another, where from now on goes what would go to it; then `move` the rest.

    Its answer's event_id is the run that moves. One that is archived already may still be merged, and again into the
    same one, so that what broke off goes on. Errors as of `categories.amend`, and of `check`.
    """

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        check(tree, category_id, into)
        make = entities.kept if current["operation"] == "deleted" else entities.deleted
        return make(current, {"merged_into": into}, **by)

    return categories.alter(ledger, tree, workspace_id, category_id, after, **change)


def is_merged(tree: Categories, category_id: str, into: str, answer: Answer) -> bool:
    """Whether the category is still what a `merge` into the other one has made of it."""
    found = tree[category_id]
    return found.archived_itself and found.merged_into == into and found.version == answer.version


def move(
    ledger: Ledger,
    opened: Opened,
    tree: Categories,
    workspace_id: UUID,
    category_id: str,
    into: str,
    run: UUID,
    **by: Any,
) -> Moved:
    """Let the expenses of a category and what hangs below it follow to where it was merged into.

    May be run again at any time: what has moved is not moved again.

    Args:
        opened: sessions of whoever `by` (actor_id, source) says.
        run: the events' correlation_id, by which `move_back` finds them.

    Raises:
        KafkaUnavailable, AppendStopped, LiveStalled, NotAllowed: see `Ledger.append_many`.
    """
    done, of_run = Moved(), {**by, "correlation_id": str(run)}
    for child in tree.children(category_id):
        _hang(ledger, tree, workspace_id, child, into, run, tree[child].version, done, **by)
    amended = ledger.append_many("transaction", _moved(opened, category_id, into, run, of_run, done))
    done.expenses, done.changed_since = amended.inserted + amended.already_there, done.changed_since + amended.stale
    return done


def move_back(
    ledger: Ledger, opened: Opened, tree: Categories, workspace_id: UUID, category_id: str, **by: Any
) -> Moved:
    """Give a category in use what was its own before it was merged the last time, except what somebody changed since.

    May be run again at any time: what is back is not moved again.

    Raises:
        KafkaUnavailable, AppendStopped, LiveStalled, NotAllowed: see `Ledger.append_many`.
    """
    done, found, entity_id = Moved(), Undone(), tree[category_id].entity_id
    with opened() as connection:
        of = {"entity_id": entity_id}
        runs = [run for (run,) in connection.execute(_RUNS, of)]
        moved = connection.execute(_MOVED, (list(map(str, runs)),)).fetchall()
    by_run = derived_id(entity_id, "given back", *runs)
    for child, version in moved:
        try:
            categories.check(tree, {"parent_id": category_id}, child)
        except Refused:
            done.changed_since += 1  # somebody made the tree another one, where it does not fit
        else:
            _hang(ledger, tree, workspace_id, child, category_id, by_run, version, done, **by)
    events = (event for run in runs for event in given_back(opened, run, by_run, found, **by))
    amended = ledger.append_many("transaction", events)
    done.expenses, done.set_aside = amended.inserted + amended.already_there, found.set_aside
    done.changed_since += found.changed_since + amended.stale
    return done


def _hang(
    ledger: Ledger,
    tree: Categories,
    workspace_id: UUID,
    category_id: str,
    below: str,
    run: UUID,
    version: int,
    done: Moved,
    **by: Any,
) -> None:
    after = partial(entities.kept, changes={"parent_id": below}, correlation_id=str(run))
    change = {"expected_version": version, "event_id": derived_id(run, category_id, version), **by}
    answer = categories.alter(ledger, tree, workspace_id, category_id, after, **change)
    if answer.decision == "stale":
        done.changed_since += 1
    else:
        done.categories += 1


def _moved(
    opened: Opened, category_id: str, into: str, run: UUID, by: Mapping[str, Any], done: Moved
) -> Iterator[dict[str, Any]]:
    currencies = frozenset(money.currencies())

    def read(connection: psycopg.Connection, **place: Any) -> list[dict[str, Any]]:
        also = ", recorded_at, source"
        return current_transactions(connection, _IN_CATEGORY, also=also, category_id=category_id, **place)

    def instead(named: str | None) -> str | None:
        return into if named == category_id else named

    for state in (each for page in pages(opened, read) for each in page):
        recorded_at, source = state.pop("recorded_at"), state.pop("source")
        lines = [{**line, "category_id": instead(line["category_id"])} for line in state["lines"]]
        decided = {"category_id": instead(state["category_id"]), "lines": lines}
        is_awaited = state["status"] == "pending" and source in _BANKS  # which may have a next version of it
        if is_awaited or has_no_next(state | decided, recorded_at, currencies):
            done.set_aside += 1
        else:
            event_id = derived_id(run, state["transaction_id"], state["version"])
            yield ruled(state, decided, **by, event_id=event_id)
