"""Changes of a transaction written as text, as a command line and a form of Dagster have them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from outlay.api.schemas import Changes


class NotChanges(ValueError):
    """The text names no field, or no value that the field can have; says what was expected."""


def changes_of(given: Iterable[str]) -> dict[str, Any]:
    """Fields and values as `Ledger.amend` takes them, checked as the API checks them.

    Args:
        given: each ``FIELD=VALUE``; no value empties the field. Tags are ``a,b``, and lines are JSON.

    Raises:
        NotChanges: see there.
    """
    try:
        pairs = list(map(_change, given))
        twice = [field for field, times in Counter(field for field, _ in pairs).items() if times > 1]
        if twice:
            raise NotChanges(f"expected each field once, got {', '.join(twice)} again")
        changes = Changes.model_validate(dict(pairs))
    except ValidationError as error:
        raise NotChanges("; ".join(map(_wrong, error.errors()))) from None
    return changes.model_dump(exclude_unset=True)


def _change(given: str) -> tuple[str, Any]:
    field, equals, value = given.partition("=")
    if not equals:
        raise NotChanges(f"expected FIELD=VALUE such as occurred_on=2026-05-02, got {given!r}")
    if field == "tags":
        return field, [tag for tag in value.split(",") if tag]
    if field == "lines":
        try:
            return field, json.loads(value or "[]")
        except ValueError as error:
            raise NotChanges(f"lines: expected JSON, got {value!r} ({error})") from None
    return field, value or None


def _wrong(error: Mapping[str, Any]) -> str:
    field = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return f"expected one of {', '.join(Changes.model_fields)}; got {field!r}"
    return f"{field}: {error['msg']}, got {error['input']!r}"
