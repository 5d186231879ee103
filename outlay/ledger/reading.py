"""Reading live during a long append, which outlives a restart of PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import psycopg

from outlay.db import session
from outlay.ledger.errors import LiveStalled
from outlay.settings import Settings

T = TypeVar("T")

_PATIENCE = 60  # seconds for PostgreSQL to come back
_PAUSE = 0.5


class Reader:
    """Answers questions to the database as the operator, in a session that is opened anew when it breaks."""

    def __init__(self, using: Settings):
        self._settings = using
        self._open = ExitStack()
        self._connection: psycopg.Connection | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: Any) -> None:
        # Told of the error: a question that Ctrl-C broke off leaves a session in which nothing can be committed.
        self._connection = None
        self._open.__exit__(*error)

    def ask(self, question: Callable[[psycopg.Connection], T]) -> T:
        """What `question` returns; it is asked again after an outage, so it must only read.

        Raises:
            LiveStalled: PostgreSQL has been away for a minute.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                if self._connection is None:
                    opened = session("operator", autocommit=True, using=self._settings)
                    self._connection = self._open.enter_context(opened)
                return question(self._connection)
            except psycopg.OperationalError as error:
                self._close()
                if time.monotonic() > deadline:
                    raise LiveStalled(
                        f"PostgreSQL has not answered for {_PATIENCE} s ({str(error).strip().splitlines()[0]}): "
                        "see `outlay status`. What was sent is safe; run it again"
                    ) from error
                time.sleep(_PAUSE)

    def _close(self) -> None:
        self._connection = None
        self._open.close()
