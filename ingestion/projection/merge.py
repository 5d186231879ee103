"""The named statements of merge.sql."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ingestion import named

_NAMED = named.statements(Path(__file__).with_suffix(".sql"))


_ORDER = 'workspace_id, topic_id, partition, "offset"'


@cache
def statements(schema: str = "live", known: str | None = None, order: str = _ORDER) -> dict[str, str]:
    """Name to statement.

    Args:
        schema: of the tables, ``live`` or one that is to take its place.
        known: a query to decide by instead of the one named so.
        order: of the columns of `decided`, in which events are written.
    """
    made = {name: text.replace(" live.", f" {schema}.") for name, text in _NAMED.items()}
    return made | {
        "decide": made["decide"].replace("{known}", known or made["known"]),
        "events": made["events"].replace("{order}", order),
        "add": made["add"].replace("{transactions}", made["transactions"]),
    }
