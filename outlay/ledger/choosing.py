"""The enricher's category as a workspace's tree has it: what was archived or merged takes nothing more."""

from __future__ import annotations

from dataclasses import replace

from ingestion.enrich import Enricher, Enrichment
from outlay.ledger.queries.category_tree import Categories


class OwnEnricher:
    """An `Enricher` that decides for one workspace."""

    def __init__(self, enricher: Enricher, tree: Categories):
        self._tree = tree
        self.categories, self.version, self.plain_name = enricher.categories, enricher.version, enricher.plain_name
        self.plain = enricher.enrich

    def enrich(self, description: str | None, *, mcc: str | None = None) -> Enrichment:
        """As the enricher's, as far as the category is in use."""
        return self.own(self.plain(description, mcc=mcc))

    def own(self, found: Enrichment) -> Enrichment:
        """The same; a category that is out of use gives way to where what was its own goes, or to none."""
        category_id = self._tree.standing(found.category_id)
        if category_id == found.category_id:
            return found
        if category_id is None:
            unknown = {"category_source": "unknown", "category_confidence": None, "decided_by": None}
            return replace(found, category_id=None, **unknown)
        return replace(found, category_id=category_id)
