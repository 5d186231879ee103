"""Cursors: where a reader stands in a list or in the log, as text that callers pass on and do not look into."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class BadCursor(ValueError):
    """A cursor that this list did not give out, or gave out for another order."""


def written(place: Sequence[Any]) -> str:
    """A place, of what JSON has, as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read(cursor: str) -> Any:
    """The place that `written` was given, or anything else that JSON has: a cursor may come from anywhere."""
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * 3))


@contextmanager
def reading() -> Iterator[None]:
    """What goes wrong in here is the cursor's fault.

    Raises:
        BadCursor: instead of what it was.
    """
    try:
        yield
    except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError):
        raise BadCursor("expected a cursor that this list gave out; start again without one") from None
