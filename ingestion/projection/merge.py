"""The named statements of merge.sql."""

from __future__ import annotations

import re
from pathlib import Path

_PARTS = re.split(r"^-- name: (\w+)\n", Path(__file__).with_suffix(".sql").read_text(), flags=re.MULTILINE)

SQL: dict[str, str] = dict(zip(_PARTS[1::2], (part.strip() for part in _PARTS[2::2]), strict=True))
