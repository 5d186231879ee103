"""The API as tests of accounts use it: anybody may sign up, and nothing of another test is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from outlay.accounts import attempts
from outlay.api import app, process
from outlay.db import session
from outlay.settings import settings

PASSWORD, OTHER = "seven green bicycles", "eleven quiet harbours"


@contextmanager
def open_installation(**variables: str) -> Iterator[FastAPI]:
    """The API of a process that has these settings (``OUTLAY_*``) from its start on, and takes sign-ups."""
    process.close()
    patch = pytest.MonkeyPatch()
    for name, value in {"OUTLAY_SIGN_UP": "open", **variables}.items():
        patch.setenv(name, value)
    settings.cache_clear()
    try:
        yield app.create()
    finally:
        process.close()
        patch.undo()
        settings.cache_clear()


def forgive_attempts() -> None:
    """Forget what was tried: all tests come from one place, which may try only so often."""
    with session("auth") as connection:
        attempts.forget_old(connection, before=datetime.now(UTC) + timedelta(days=1))
