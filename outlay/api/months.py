"""A month, as programs write it: 2026-03."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def _first_day(value: object) -> object:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}", value):
        raise ValueError(f"expected a month such as 2026-03, got {value!r}")
    return f"{value}-01"


Month = Annotated[
    date,
    BeforeValidator(_first_day, json_schema_input_type=str),
    PlainSerializer(lambda month: f"{month:%Y-%m}", return_type=str, when_used="json"),
]
"""Its first day to the program."""
