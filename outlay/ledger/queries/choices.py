"""What a form or filter offers: the workspace's accounts, and the category tree with the workspace's own categories."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

import psycopg

from outlay.ledger.queries import rows
from outlay.ledger.queries.category_tree import Categories, Category
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


def accounts(connection: psycopg.Connection) -> list[Account]:
    """The accounts of the session's workspace by name, the closed ones last."""
    return [Account(**row) for row in rows(connection, "accounts")]


def categories(connection: psycopg.Connection) -> Categories:
    """The categories every workspace has, as the session's workspace changed them, and its own."""
    known = {category.category_id: category for category in shared_categories()}
    for row in rows(connection, "own_categories"):
        shared = known.get(row["category_id"])
        if row["parent_id"] is None and shared:
            row["parent_id"] = shared.parent_id
        row["name"] = row["name"] or (shared.name if shared else "Unnamed category")
        known[row["category_id"]] = Category(**row, kind=shared.kind if shared else None)
    return Categories(known.values())


def shared_categories() -> tuple[Category, ...]:
    """Those that every workspace has, as nobody changed them."""
    return _shared(settings().seeds / "categories.csv")


@cache
def _shared(path: Path) -> tuple[Category, ...]:
    with path.open(newline="", encoding="utf-8") as file:
        found = sorted(csv.DictReader(file), key=lambda row: int(row["position"]))
    return tuple(Category(row["category_id"], row["parent_id"] or None, row["name"], kind=row["kind"]) for row in found)
