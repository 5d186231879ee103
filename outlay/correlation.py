"""The correlation id of what goes on: made where somebody asks for something, kept in its events, named in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.contextvars import bound_contextvars

from ingestion.events import new_id

_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def current() -> str | None:
    """That of the request that is being answered; None where nobody asked."""
    return _current.get()


@contextmanager
def bound(given: str | None = None) -> Iterator[str]:
    """Whatever happens in the block belongs to one request.

    Args:
        given: an id that the caller has already; one that is no plain word of at most 64 characters is replaced.
    """
    chosen = given if given and _FORM.fullmatch(given) else str(new_id())
    token = _current.set(chosen)
    try:
        with bound_contextvars(correlation_id=chosen):
            yield chosen
    finally:
        _current.reset(token)
