"""What a call raises: the installation's answer that it will not, or that there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx


class Unreachable(ConnectionError):
    """The installation gave no answer in the time that was left for it."""


class Problem(Exception):
    """The installation refused a request. The message says why, and what to do."""

    def __init__(self, answer: httpx.Response):
        told = _details(answer)
        self.status: int = answer.status_code
        self.detail: str = told.get("detail") or answer.reason_phrase or "no reason was given"
        self.errors: Sequence[dict[str, Any]] = told.get("errors") or ()
        """One {field, message} for each value at fault."""
        self.correlation_id: str | None = told.get("correlation_id") or answer.headers.get("X-Correlation-ID")
        """For whoever looks into the installation's log."""
        self.version: int | None = _version(answer)
        """Of a change of a version that has passed (status 412): the one that it is at."""
        super().__init__(self.detail)


def _details(answer: httpx.Response) -> dict[str, Any]:
    """Of what stands between the two (a proxy's page of HTML, say) there are none."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _version(answer: httpx.Response) -> int | None:
    tag = answer.headers.get("ETag", "").strip('"')
    return int(tag) if tag.isdecimal() else None
