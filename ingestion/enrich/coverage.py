"""How much of some purchases the reference data knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ingestion.enrich import Enricher


class Purchase(NamedTuple):
    """What enrichment looks at, and whether the source itself named a category."""

    text: str | None
    mcc: str | None
    has_category: bool


@dataclass
class Coverage:
    """Counts over purchases. Names are the normalised ones."""

    rows: int = 0
    """Usable ones: all that is below is of these."""
    refused: int = 0
    texts: int = 0
    """Different descriptors."""
    merchants: int = 0
    """Different merchants that they come down to."""
    categories: Counter[str] = field(default_factory=Counter)
    """Category source (``import``, ``rule``, ``mcc`` or ``unknown``) -> rows."""
    unmatched: Counter[str] = field(default_factory=Counter)
    """Merchants that the brand table does not have -> rows; a row without any text is of none."""
    examples: dict[str, str] = field(default_factory=dict)
    """One descriptor of each of those."""


def coverage(purchases: Iterable[Purchase | None], enricher: Enricher) -> Coverage:
    """Enrich each purchase and count; None is a row that cannot be used. Memory grows with different descriptors."""
    found, texts, merchants = Coverage(), set[str](), set[str]()
    for purchase in purchases:
        if purchase is None:
            found.refused += 1
            continue
        enriched = enricher.enrich(purchase.text, mcc=purchase.mcc)
        found.rows += 1
        found.categories["import" if purchase.has_category else enriched.category_source] += 1
        if enriched.merchant is None:
            continue
        texts.add(purchase.text)
        merchants.add(enriched.merchant)
        if not enriched.known:
            found.unmatched[enriched.merchant] += 1
            found.examples.setdefault(enriched.merchant, purchase.text)
    found.texts, found.merchants = len(texts), len(merchants)
    return found
