"""The Avro schemas of the topics: the contract between everything that writes events and everything that reads them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

TOPICS = ("user", "transaction", "report", "reminder")


@cache
def schema(topic: str) -> dict[str, Any]:
    """The topic's current schema, as parsed JSON.

    Raises:
        ValueError: no topic has that name.
    """
    if topic not in TOPICS:
        raise ValueError(f"expected a topic out of {', '.join(TOPICS)}; got {topic!r}")
    return json.loads((Path(__file__).parent / f"{topic}.avsc").read_text())
