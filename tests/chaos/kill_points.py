"""A projector that gets a signal from itself at a named point, the first time it comes there with something to write.

python -m tests.chaos.kill_points POINT BOOTSTRAP REGISTRY_URL DSN
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import psycopg

from ingestion.projection import Load, loop, view
from ingestion.projection.log import Batch, Log
from ingestion.projection.view import View

STATEMENTS = ("copy", "move", "decide", "events", "add", "totals", "notify")
"""Points inside the transaction: just before the statement of that name in merge.sql."""
POINTS = ("read", "copying", *STATEMENTS, "commit", "committed")
"""`read`: the messages are in memory. `copying`: PostgreSQL waits for the rest of the rows. `commit`: all is
written, the commit was not sent. `committed`: it was, and the projector did not learn it."""


class Once:
    """Sends this process the signal the first time it is called: SIGKILL ends it, SIGSTOP stops it until SIGCONT."""

    def __init__(self, signum: int):
        self.signum = signum
        self._called = False

    def __call__(self) -> None:
        if not self._called:
            self._called = True
            os.kill(os.getpid(), self.signum)


class Armed(dict):
    """The statements of the merge; asking for one of them is the point."""

    def __init__(self, statements: dict[str, str], point: str, reached: Callable[[], None]):
        super().__init__(statements)
        self._point, self._reached = point, reached

    def __getitem__(self, name: str) -> str:
        if name == self._point:
            self._reached()
        return super().__getitem__(name)


def arm(point: str, signum: int = signal.SIGKILL) -> None:
    """Let this process's projector get the signal at `point`."""
    reached = Once(signum)
    if signum == signal.SIGSTOP:
        view._LONGEST_BATCH = 3  # seconds: nobody wants to wait for half a minute until its transaction is ended
    if point in STATEMENTS:
        made = view.statements
        view.statements = lambda schema: Armed(made(schema), point, reached)
    elif point == "read":
        Log.next = then(Log.next, reached, when=lambda batch: isinstance(batch, Batch) and bool(batch.messages))
    elif point == "copying":
        psycopg.Copy.write = then(psycopg.Copy.write, reached)
    elif point == "commit":
        View._merge = then(View._merge, reached)
    elif point == "committed":
        View._commit = then(View._commit, reached, when=bool)
    else:
        raise SystemExit(f"expected a point of {', '.join(POINTS)}; got {point!r}")


def then(step: Callable, reached: Callable[[], None], when: Callable[[object], bool] = lambda _: True) -> Callable:
    """The step, and then the point."""

    def armed(*args: object, **named: object) -> object:
        done = step(*args, **named)
        if when(done):
            reached()
        return done

    return armed


if __name__ == "__main__":
    point, bootstrap, registry_url, dsn = sys.argv[1:]
    arm(point)
    loop.run(bootstrap=bootstrap, registry_url=registry_url, dsn=dsn, stop=threading.Event(), load=Load(2, fewest=2))
