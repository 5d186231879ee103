"""The reference data that enrichment reads, as typed rows."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES = ("categories", "category_aliases", "mccs", "merchants")


@dataclass(frozen=True)
class Category:
    """One node of the category tree."""

    category_id: str
    parent_id: str | None
    name: str
    kind: str
    """``spending``, ``income`` or ``transfer``."""


def rows(seeds: Path, name: str) -> Iterator[dict[str, str]]:
    """Rows of ``<seeds>/<name>.csv``.

    Raises:
        FileNotFoundError: the folder does not hold that file.
    """
    with (seeds / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def categories(seeds: Path) -> dict[str, Category]:
    """Category id to category, in the tree's order."""
    return {
        row["category_id"]: Category(row["category_id"], row["parent_id"] or None, row["name"], row["kind"])
        for row in rows(seeds, "categories")
    }


def version(seeds: Path) -> str:
    """``seeds-`` and the short hash of everything enrichment decides by."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((seeds / f"{name}.csv").read_bytes())
    return f"seeds-{digest.hexdigest()[:8]}"
