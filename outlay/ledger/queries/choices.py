"""What a form or filter offers: the workspace's accounts, and the category tree with the workspace's own categories."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

import psycopg

from outlay.ledger.queries import rows
from outlay.settings import settings


@dataclass(frozen=True)
class Account:
    account_id: UUID
    name: str
    type: str
    currency: str
    institution: str | None
    owner_id: UUID | None
    version: int
    closed: bool
    """What was bought with it stays; nothing else is."""


@dataclass(frozen=True)
class Category:
    category_id: str
    parent_id: str | None
    name: str


class Categories:
    """A tree of categories, in the order in which to offer them: each one followed by those below it."""

    def __init__(self, categories: list[Category]):
        self._by_id = {category.category_id: category for category in categories}
        self._below: dict[str | None, list[str]] = {}
        for category in categories:
            parent = category.parent_id if category.parent_id in self._by_id else None
            self._below.setdefault(parent, []).append(category.category_id)

    def __iter__(self) -> Iterator[str]:
        return self._walk(None)

    def __contains__(self, category_id: object) -> bool:
        return category_id in self._by_id

    def get(self, category_id: str) -> Category:
        return self._by_id[category_id]

    def with_below(self, category_id: str) -> list[str]:
        """The category and everything below it."""
        return [category_id, *self._walk(category_id)]

    def path(self, category_id: str | None) -> str:
        """``Food and drink › Groceries``; the id itself where the tree does not have it, empty for None."""
        if category_id is None:
            return ""
        names: list[str] = []
        at = self._by_id.get(category_id)
        while at and at.name not in names:
            names.insert(0, at.name)
            at = self._by_id.get(at.parent_id) if at.parent_id else None
        return " › ".join(names) or category_id

    def _walk(self, parent: str | None) -> Iterator[str]:
        for category_id in self._below.get(parent, []):
            yield category_id
            yield from self._walk(category_id)


def accounts(connection: psycopg.Connection) -> list[Account]:
    """The accounts of the session's workspace by name, the closed ones last."""
    return [Account(**row) for row in rows(connection, "accounts")]


def categories(connection: psycopg.Connection) -> Categories:
    """The categories every workspace has, as the session's workspace changed them, and its own."""
    known = {category.category_id: category for category in _shared(settings().seeds / "categories.csv")}
    for row in rows(connection, "own_categories"):
        shared = known.get(row["category_id"])
        parent_id = row["parent_id"] or (shared.parent_id if shared else None)
        name = row["name"] or (shared.name if shared else "Unnamed category")
        known[row["category_id"]] = Category(row["category_id"], parent_id, name)
    return Categories(list(known.values()))


@cache
def _shared(path: Path) -> tuple[Category, ...]:
    with path.open(newline="", encoding="utf-8") as file:
        found = sorted(csv.DictReader(file), key=lambda row: int(row["position"]))
    return tuple(Category(row["category_id"], row["parent_id"] or None, row["name"]) for row in found)
