"""Merchant and category of a descriptor: a pure function of the seeds, the same for forms, importers and feeds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ingestion.enrich import seeds as reference
from ingestion.enrich.brands import Brand, Brands, Match
from ingestion.enrich.clean import display_name, fold, without_noise
from ingestion.enrich.seeds import Category

__all__ = ["Category", "Enricher", "Enrichment"]

_CASH = "transfer.cash"  # goes to no account
_REMEMBERED = 65_536  # descriptors; a household's or a city's repeat themselves


@dataclass(frozen=True)
class Enrichment:
    """What the reference data says of one purchase."""

    merchant: str | None
    """Normalised name; None where there was no text."""
    category_id: str | None
    category_source: str
    """``rule`` (the brand table), ``mcc``, or ``unknown`` where neither knew."""
    category_confidence: float | None
    """From 0 to 1."""
    decided_by: str | None
    """Version of the seeds that chose the category."""
    known: bool = False
    """Whether the brand table has the merchant; else its name is the text without its noise."""


class Enricher:
    """Reads the seeds once; every call after that is pure and cached by descriptor. Safe between threads."""

    def __init__(self, seeds: Path):
        self.version = reference.version(seeds)
        self.categories: dict[str, Category] = reference.categories(seeds)
        self._mccs = {row["mcc"]: row["category_id"] for row in reference.rows(seeds, "mccs")}
        self._brands = Brands(
            Brand(row["pattern"], row["merchant"], row["category_id"] or None)
            for row in reference.rows(seeds, "merchants")
        )
        self._names = {fold(category.name): category_id for category_id, category in self.categories.items()}
        self._names |= {fold(row["alias"]): row["category_id"] for row in reference.rows(seeds, "category_aliases")}
        transfers = {each.category_id for each in self.categories.values() if each.kind == "transfer"} - {_CASH}
        self._transfers = _any_of(name for name, category_id in self._names.items() if category_id in transfers)
        self._names |= {category_id: category_id for category_id in self.categories}
        self.enrich = lru_cache(maxsize=_REMEMBERED)(self._enrich)

    def _enrich(self, description: str | None, *, mcc: str | None = None) -> Enrichment:
        """Merchant and category of a bank's `description`, with the help of a card network's `mcc` (ISO 18245)."""
        name = without_noise(description) if description and not description.isspace() else None
        match = self._brands.find(name) if name else None
        by_mcc = self._mccs.get(mcc.strip().zfill(4)) if mcc else None
        if match and self._contradicts(match, by_mcc):
            match = None
        merchant = match.brand.merchant if match else display_name(name) if name else None
        if match and match.brand.category_id:
            return Enrichment(merchant, match.brand.category_id, "rule", match.confidence, self.version, known=True)
        known = match is not None
        if by_mcc:
            return Enrichment(merchant, by_mcc, "mcc", 0.6 if "." in by_mcc else 0.5, self.version, known=known)
        return Enrichment(merchant, None, "unknown", None, None, known=known)

    def plain_name(self, description: str | None) -> str | None:
        """The merchant's name without the brand table: the text without its noise. None where there is no text."""
        return display_name(without_noise(description)) if description and not description.isspace() else None

    def category_named(self, name: str) -> str | None:
        """Our category for a source's name of it, or an id of ours; None where nothing of ours is meant."""
        return self._names.get(fold(name)) or self._names.get(name.strip())

    def says_transfer(self, text: str | None) -> bool:
        """Whether words of `text` are one of the tables' names for transfers between accounts, such as "Umbuchung"."""
        return text is not None and self._transfers.search(fold(text)) is not None

    def _contradicts(self, match: Match, by_mcc: str | None) -> bool:
        """Whether the card network places a merely similar name elsewhere: "METRO TAXI" is no supermarket."""
        if match.certain or by_mcc is None or match.brand.category_id is None:
            return False
        return by_mcc.split(".")[0] != match.brand.category_id.split(".")[0]


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """What finds one of the names, which are folded, as whole words."""
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, names)))})\b")
