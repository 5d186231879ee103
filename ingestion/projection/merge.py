"""The named statements of merge.sql."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PARTS = re.split(r"^-- name: (\w+)\n", Path(__file__).with_suffix(".sql").read_text(), flags=re.MULTILINE)


@cache
def statements(schema: str = "live", known: str | None = None) -> dict[str, str]:
    """Name to statement.

    Args:
        schema: of the tables, ``live`` or one that is to take its place.
        known: a query to decide by instead of the one named so.
    """
    texts = (part.strip().replace(" live.", f" {schema}.") for part in _PARTS[2::2])
    named = dict(zip(_PARTS[1::2], texts, strict=True))
    return named | {"decide": named["decide"].replace("{known}", known or named["known"])}
