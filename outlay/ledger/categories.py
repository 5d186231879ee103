"""A workspace's tree of categories: its own, and what it makes of those that all have. Changed by events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Unpack
from uuid import UUID

import psycopg

from ingestion import events
from ingestion.events import NIL, derived_id
from ingestion.rules import Problem
from outlay.ledger import entities
from outlay.ledger.commands import Answer, Change, Ledger, NotFound, Refused
from outlay.ledger.queries import rows
from outlay.ledger.queries.category_tree import Categories
from outlay.ledger.states import Thing

_WAIT = 10.0  # seconds for live to decide a change
_DEEPEST = 10  # levels of the tree
_NEEDED = frozenset({"transfer.own", "uncategorised"})


@dataclass(frozen=True)
class Uses:
    """What has a category or one below it. Void expenses do not count."""

    expenses: int
    first_on: date | None
    last_on: date | None
    below: list[str]
    """Ids of the categories below it that are in use."""
    budgets: list[dict[str, Any]]
    """{budget_id, name} of each that is in force."""


def uses(connection: psycopg.Connection, tree: Categories, category_id: str) -> Uses:
    """What archiving or merging a category of the session's workspace would touch."""
    named = {"categories": tree.with_below(category_id)}
    [counted] = rows(connection, "category_uses", **named)
    below = [each for each in named["categories"][1:] if not tree.is_archived(each)]
    return Uses(**counted, below=below, budgets=rows(connection, "category_budgets", **named))


def add(
    ledger: Ledger, workspace_id: UUID, category_id: UUID, given: Mapping[str, Any], *, by: UUID, source: str
) -> Answer:
    """Make a category of the workspace's own; again under the same id, and nothing happens.

    Args:
        given: name and parent_id; `check` says whether they make a category.

    Raises:
        Refused: the category_id is of another one. KafkaUnavailable, NotAllowed: see `Ledger.append`.
    """
    event = events.entity(
        entity="category",
        entity_id=category_id,
        state={"category_id": str(category_id), **given},
        workspace_id=workspace_id,
        source=source,
        event_id=derived_id(category_id, "category", "created"),
        actor_id=by,
    )
    return ledger.append("user", event, wait=_WAIT)


def amend(
    ledger: Ledger,
    tree: Categories,
    workspace_id: UUID,
    category_id: str,
    changes: Mapping[str, Any],
    **change: Unpack[Change],
) -> Answer:
    """Rename or move a category that is in use.

    Args:
        changes: name and parent_id, as far as they change; a parent_id of None is the top.

    Raises:
        Refused: it is archived, or see `check`. NotFound, KafkaUnavailable, NotAllowed: see `Ledger.change`.
    """

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        check(tree, changes, category_id)
        return entities.updated(current, stored(changes), **by)

    return alter(ledger, tree, workspace_id, category_id, after, **change)


def archive(ledger: Ledger, tree: Categories, workspace_id: UUID, category_id: str, **change: Unpack[Change]) -> Answer:
    """Nothing more is recorded in it, or below it. What was stays, with its name. Errors as of `amend`."""

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        check_unneeded(tree, category_id)
        return entities.deleted(current, **by)

    return alter(ledger, tree, workspace_id, category_id, after, **change)


def restore(ledger: Ledger, tree: Categories, workspace_id: UUID, category_id: str, **change: Unpack[Change]) -> Answer:
    """Bring an archived category back into use. Errors as of `amend`; Refused where what is above it is archived."""

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        check(tree, {}, category_id)
        return entities.restored(current, {"merged_into": None}, **by)

    return alter(ledger, tree, workspace_id, category_id, after, **change)


def alter(
    ledger: Ledger,
    tree: Categories,
    workspace_id: UUID,
    category_id: str,
    after: Callable[..., dict[str, Any]],
    **change: Unpack[Change],
) -> Answer:
    """Append a category's next version, which `after` makes of the one that there is.

    Raises:
        NotFound: the tree has no such category. What `after` raises, and see `Ledger.change`.
    """
    if category_id not in tree:
        raise NotFound(category_id, entity="category")
    entity_id = tree[category_id].entity_id or derived_id(workspace_id, "shared category", category_id)
    return ledger.change(
        _Category(workspace_id, category_id), workspace_id, entity_id, after, **{"wait": _WAIT, **change}
    )


def stored(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as an event has them: there a parent_id of null is that of the seed, and the top has an empty one."""
    return {name: "" if name == "parent_id" and value is None else value for name, value in changes.items()}


def check(tree: Categories, given: Mapping[str, Any], category_id: str | None = None) -> None:
    """Whether a category may be called so and hang there.

    Args:
        given: name and parent_id, as far as they are given.
        category_id: of the one that changes.

    Raises:
        Refused: the parent is none, or below the category itself, or too deep; or one beside it is called the same.
    """
    there = category_id is not None and category_id in tree
    parent = given["parent_id"] if "parent_id" in given or not there else tree.parent(category_id)
    name = given["name"] if "name" in given or not there else tree[category_id].name
    if parent is not None and (parent not in tree or tree.is_archived(parent)):
        raise Refused([Problem("known", "parent_id", f"expected a category of the workspace in use, got {parent}")])
    if there and category_id in tree.upwards(parent):
        raise Refused([Problem("no_circle", "parent_id", f"expected no category below it or itself, got {parent}")])
    if there and parent is not None and tree.kind(parent) != tree.kind(category_id):
        message = f"expected a category of {tree.kind(category_id)}, got {parent}, of {tree.kind(parent)}"
        raise Refused([Problem("same_kind", "parent_id", message)])
    check_depth(tree, parent, category_id if there else None)
    beside = (other for other in tree.children(parent) if other != category_id and not tree.is_archived(other))
    if any(tree[other].name.casefold() == name.casefold() for other in beside):
        raise Refused([Problem("once", "name", f"there is a category {name!r} beside it already")])


def check_unneeded(tree: Categories, category_id: str) -> None:
    """Whether nothing but expenses would miss a category.

    Raises:
        Refused: the program itself records in it, or below it.
    """
    needed = _NEEDED.intersection(tree.with_below(category_id))
    if needed:
        message = f"it has to stay in use: what is linked, or has no category, is in {', '.join(sorted(needed))}"
        raise Refused([Problem("unneeded", "category_id", message)])


def check_depth(tree: Categories, parent: str | None, category_id: str | None, *, field: str = "parent_id") -> None:
    """Whether a category, or a new one, may hang below the parent with all that is below it.

    Raises:
        Refused: the tree would be too deep.
    """
    depth = len(tree.upwards(parent)) + (tree.height(category_id) if category_id else 1)
    if depth > _DEEPEST:
        message = f"expected a tree of at most {_DEEPEST} levels, got {depth}"
        raise Refused([Problem("shallow", field, message)])


class _Category(Thing):
    """A category; one that all workspaces have, and of which this one has made nothing yet, is at version 0."""

    def __init__(self, workspace_id: UUID, category_id: str):
        super().__init__("category")
        self._workspace_id, self._category_id = workspace_id, category_id

    def current(self, connection: psycopg.Connection, entity_id: UUID) -> dict[str, Any]:
        empty = {"category_id": self._category_id, "name": None, "parent_id": None, "merged_into": None}
        return super().current(connection, entity_id) or {
            "workspace_id": self._workspace_id,
            "entity": self.entity,
            "entity_id": entity_id,
            "version": 0,
            "operation": "created",
            "state": empty,
        }

    def place(self, connection: psycopg.Connection, entity_id: UUID) -> tuple[UUID, int, int, int]:
        return super().place(connection, entity_id) or (NIL, 0, 0, 0)
