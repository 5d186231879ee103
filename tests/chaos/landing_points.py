"""A landing that gets a signal from itself at a named point, the first time it comes there with something to land."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg

from ingestion.landing import manifest, store
from tests.chaos.kill_points import Once, then

NAME = "chaos-landing"
"""How PostgreSQL knows the session of a landing."""

POINTS = ("read", "half", "stored", "between", "named", "commit", "committed")
"""`read`: the first messages are there, and no file. `half`: a file's bytes are on the disk under no name. `stored`: a
file is whole, the manifest does not name it. `between`: of the two files of a group one is stored. `named`: it is in
the manifest, the offset has not moved. `commit`: all is written, the commit was not sent. `committed`: it was, and the
landing did not learn it."""


def arm(point: str, signum: int = signal.SIGKILL) -> Callable[[str], psycopg.Connection]:
    """Let this process's landing get the signal at `point`; returns how it is to connect to the database."""
    reached = Once(signum)
    if point not in POINTS:
        raise ValueError(f"expected a point of {', '.join(POINTS)}; got {point!r}")
    if point == "read":
        store.put = first(store.put, reached)
    elif point == "half":
        os.replace = first(os.replace, reached)
    elif point == "stored":
        manifest.commit = first(manifest.commit, reached, when=lambda _, files, **__: bool(files))
    elif point == "between":
        _between(reached)
    elif point == "committed":
        manifest.commit = then(manifest.commit, reached)
    return lambda dsn: _Connection.telling(dsn, point, reached)


def first(step: Callable, reached: Callable[[], None], when: Callable[..., bool] = lambda *_, **__: True) -> Callable:
    """The point, and then the step."""

    def armed(*args: Any, **named: Any) -> Any:
        if when(*args, **named):
            reached()
        return step(*args, **named)

    return armed


def _between(reached: Callable[[], None]) -> None:
    """Before the second file that is stored without a commit since the first."""
    stored: list[str] = []
    put, commit = store.put, manifest.commit

    def putting(lake: str, path: str, content: Any) -> None:
        if stored:
            reached()
        put(lake, path, content)
        stored.append(path)

    def committing(*args: Any, **named: Any) -> None:
        commit(*args, **named)
        stored.clear()

    store.put, manifest.commit = putting, committing


class _Connection(psycopg.Connection):
    """Knows the two points inside the manifest's transaction: before and after its offset moves."""

    point: str
    reached: Callable[[], None]

    @classmethod
    def telling(cls, dsn: str, point: str, reached: Callable[[], None]) -> _Connection:
        connection = cls.connect(dsn, application_name=NAME)
        connection.point, connection.reached = point, reached
        return connection

    def execute(self, query: Any, *args: Any, **named: Any) -> psycopg.Cursor:
        moves = str(query).startswith("UPDATE bronze.offsets")
        if moves and self.point == "named":
            self.reached()
        done = super().execute(query, *args, **named)
        if moves and self.point == "commit":
            self.reached()
        return done
