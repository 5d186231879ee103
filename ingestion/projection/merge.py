"""The named statements of merge.sql."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PARTS = re.split(r"^-- name: (\w+)\n", Path(__file__).with_suffix(".sql").read_text(), flags=re.MULTILINE)


@cache
def statements(schema: str = "live") -> dict[str, str]:
    """Name to statement, for the tables of `schema`: ``live``, or one that is to take its place."""
    texts = (part.strip().replace(" live.", f" {schema}.") for part in _PARTS[2::2])
    return dict(zip(_PARTS[1::2], texts, strict=True))
