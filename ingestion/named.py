"""Files of SQL statements, each under a line ``-- name: ...``."""

from __future__ import annotations

import re
from pathlib import Path


def statements(path: Path) -> dict[str, str]:
    """Name to statement."""
    parts = re.split(r"^-- name: (\w+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))
