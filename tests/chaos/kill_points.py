"""A projector that ends itself with SIGKILL at a named point, the first time it comes there with something to write.

python -m tests.chaos.kill_points POINT BOOTSTRAP REGISTRY_URL DSN
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from ingestion.projection import loop, view
from ingestion.projection.log import Batch, Log
from ingestion.projection.view import View

STATEMENTS = ("move", "copy", "decide", "events", "transactions", "totals", "notify")
"""Points inside the transaction: just before the statement of that name in merge.sql."""
POINTS = ("read", *STATEMENTS, "commit", "committed")
"""`read`: the messages are in memory. `commit`: all is written, the commit was not sent. `committed`: it was, and the
projector did not learn it."""


class Armed(dict):
    """The statements of the merge; asking for one of them is the end."""

    def __init__(self, statements: dict[str, str], point: str):
        super().__init__(statements)
        self._point = point

    def __getitem__(self, name: str) -> str:
        if name == self._point:
            die()
        return super().__getitem__(name)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    if point in STATEMENTS:
        made = view.statements
        view.statements = lambda schema: Armed(made(schema), point)
    elif point == "read":
        Log.next = then_die(Log.next, when=lambda batch: isinstance(batch, Batch) and bool(batch.messages))
    elif point == "commit":
        View._merge = then_die(View._merge)
    elif point == "committed":
        View._commit = then_die(View._commit, when=bool)
    else:
        raise SystemExit(f"expected a point of {', '.join(POINTS)}; got {point!r}")


def then_die(step: Callable, when: Callable[[object], bool] = lambda _: True) -> Callable:
    def armed(*args: object) -> object:
        done = step(*args)
        if when(done):
            die()
        return done

    return armed


if __name__ == "__main__":
    point, bootstrap, registry_url, dsn = sys.argv[1:]
    arm(point)
    loop.run(bootstrap=bootstrap, registry_url=registry_url, dsn=dsn, stop=threading.Event())
