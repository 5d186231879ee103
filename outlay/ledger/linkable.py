"""What of a workspace's transactions may belong together, read from live for the matching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from ingestion import named
from ingestion.enrich import Enricher
from outlay.insights.links import Entry
from outlay.insights.links.refunds import WITHIN
from outlay.ledger.amendments import as_operator, pages

_NOWHERE = "uncategorised"
_CHOSEN = ("user", "import")


def entries(workspace_id: UUID, enricher: Enricher) -> tuple[int, list[Entry]]:
    """How many transactions may be linked; and these, with the purchases that may be paid back and what is linked.

    Reads the workspace's transactions twice, each time in their order and a page in a session of its own. Holds what is
    returned: without purchases at merchants of which no refund is open, and without what is linked both ways.
    """
    names = [*(each.category_id for each in enricher.categories.values() if each.kind == "transfer"), _NOWHERE]
    found = {entry.transaction_id: entry for entry in _read("open", workspace_id, enricher, no_shops=names)}
    looked_at = len(found)
    refunds = [entry for entry in found.values() if entry.is_open_refund]
    asked = {"no_shops": names, "merchants": sorted({refund.merchant for refund in refunds}), **_days(refunds)}
    found |= {entry.transaction_id: entry for entry in _read("payable", workspace_id, enricher, **asked)}
    return looked_at, list(found.values())


def _days(refunds: Sequence[Entry]) -> dict[str, date]:
    days = [refund.occurred_on for refund in refunds] or [date.max]
    return {"first": date.fromordinal(max(1, min(days).toordinal() - WITHIN.days)), "last": max(days)}


def _read(condition: str, workspace_id: UUID, enricher: Enricher, **asked: Any) -> Iterator[Entry]:
    query = sql.SQL(_statements()["entries"]).format(sql.SQL(_statements()[condition]))

    def read(connection: psycopg.Connection, **place: Any) -> list[dict[str, Any]]:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, asked | place).fetchall()

    for page in pages(as_operator(workspace_id), read):
        for row in page:
            yield _entry(row, enricher)


def _entry(row: dict[str, Any], enricher: Enricher) -> Entry:
    description, category_id, source = (row[name] for name in ("description", "category_id", "category_source"))
    own = {name: value for name, value in row.items() if name in Entry.__slots__}
    return Entry(
        **own,
        category=_kind(category_id, source, enricher),
        chosen=source in _CHOSEN,
        says_transfer=enricher.says_transfer(description) or enricher.says_transfer(row["merchant"]),
    )


def _kind(category_id: str | None, source: str, enricher: Enricher) -> str | None:
    """Kind of a category; of one that the workspace made for itself, spending. A file's "other" is as good as none."""
    if category_id is None or (category_id == _NOWHERE and source != "user"):
        return None
    category = enricher.categories.get(category_id)
    return category.kind if category else "spending"


@cache
def _statements() -> dict[str, str]:
    return named.statements(Path(__file__).with_suffix(".sql"))
