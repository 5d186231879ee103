"""The brand table: known beginnings of a descriptor, found in one dictionary look-up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import OSA
from rapidfuzz.process import extractOne

from ingestion.enrich.clean import fold
from ingestion.enrich.words import ARTICLES, FILLERS

_SHORTEST_MISSPELT = 6  # one wrong letter in a shorter name is another name


@dataclass(frozen=True)
class Brand:
    pattern: str
    merchant: str
    category_id: str | None


@dataclass(frozen=True)
class Match:
    brand: Brand
    confidence: float
    """0.95 when the brand is all there is, 0.8 when other words follow, 0.7 when one letter is wrong."""

    @property
    def certain(self) -> bool:
        """Whether nobody else's name begins like this: the brand alone, or two of its words."""
        return self.confidence >= 0.9 or (self.confidence >= 0.8 and " " in self.brand.pattern)


class Brands:
    def __init__(self, brands: Iterable[Brand]):
        by_first: dict[str, list[tuple[tuple[str, ...], Brand]]] = defaultdict(list)
        by_letter: dict[str, dict[str, Brand]] = defaultdict(dict)
        for brand in brands:
            words = tuple(brand.pattern.split())
            by_first[words[0]].append((words, brand))
            joined = "".join(words)
            if len(joined) >= _SHORTEST_MISSPELT:
                by_letter[joined[0]][joined] = brand
        for entries in by_first.values():
            entries.sort(key=lambda entry: len(entry[0]), reverse=True)
        self._by_first = dict(by_first)
        self._by_letter = dict(by_letter)

    def find(self, name: str) -> Match | None:
        """The brand that `name` (a descriptor without its noise) begins with, or is one letter away from."""
        words = fold(name).split()
        if len(words) > 1 and words[0] in ARTICLES:
            words = words[1:]
        if not words:
            return None
        for pattern, brand in self._by_first.get(words[0], ()):
            if tuple(words[: len(pattern)]) == pattern:
                return Match(brand, 0.95 if FILLERS.issuperset(words[len(pattern) :]) else 0.8)
        return self._misspelt("".join(words))

    def _misspelt(self, joined: str) -> Match | None:
        candidates = self._by_letter.get(joined[0])
        if candidates is None or len(joined) < _SHORTEST_MISSPELT:
            return None
        found = extractOne(joined, candidates.keys(), scorer=OSA.distance, score_cutoff=1)
        return Match(candidates[found[0]], 0.7) if found else None
