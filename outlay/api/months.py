"""A month, as programs write it: 2026-03."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def _month(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}", value):
        raise ValueError(f"expected a month such as 2026-03, got {value!r}")
    return f"{value}-01"


Month = Annotated[date, BeforeValidator(_month, json_schema_input_type=str)]
"""Taken as a month, its first day to the program."""
MonthOut = Annotated[date, PlainSerializer(lambda month: month.isoformat()[:7], return_type=str, when_used="json")]
