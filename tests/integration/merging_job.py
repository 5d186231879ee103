"""A merge as a process of its own, as a run of Dagster is, that kills itself at a named point.

``python -m tests.integration.merging_job POINT NOW``
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ingestion.landing import store
from orchestration.batches import parquet
from orchestration.merging import merge, removals
from outlay.db import session
from outlay.settings import settings

MERGING = importlib.import_module("orchestration.merging")
REWRITING = importlib.import_module("orchestration.merging.rewrite")

BEFORE = ("noted", "half", "between", "written", "compared", "moved")
"""`noted`: nothing is written yet. `half`: a part of a file is. `between`: one file is whole. `written`: all are, and
nobody has compared them. `compared`: all was, the manifest says the old paths. `moved`: its transaction has moved the
batches, and is not over."""
AFTER = ("committed",)
"""The first day is merged, and the process has not learned it."""
REMOVING = ("some", "all")
"""Of a folder that was replaced some files are gone; all are, and it is still noted."""


def arm(point: str) -> None:
    if point == "noted":
        MERGING.rewrite = _killed
    elif point == "half":
        REWRITING.pq.ParquetWriter.write_table = _then(REWRITING.pq.ParquetWriter.write_table)
    elif point == "between":
        store.writer = _at(2, store.writer)
    elif point == "written":
        MERGING.verify = _killed
    elif point == "compared":
        MERGING.swap = _killed
    elif point == "moved":
        removals.note = _at(2, removals.note)
    elif point == "committed":
        MERGING.swap = _then(MERGING.swap)
    elif point == "some":
        parquet.remove = _remove_one
    elif point == "all":
        removals.take_back = _killed
    else:
        raise SystemExit(f"expected a point of {', '.join((*BEFORE, *AFTER, *REMOVING))}; got {point!r}")


def _killed(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _then(step: Callable) -> Callable:
    """The step, and then the end."""

    def armed(*args: Any, **named: Any) -> None:
        step(*args, **named)
        _killed()

    return armed


def _at(call: int, step: Callable) -> Callable:
    """The end at that call of the step."""
    calls = iter(range(1, call + 1))

    def armed(*args: Any, **named: Any) -> Any:
        return _killed() if next(calls) == call else step(*args, **named)

    return armed


def _remove_one(lake: str, path: str) -> None:
    fs, full = store.locate(lake, path)
    fs.rm_file(next(file for file in fs.find(full) if file.endswith(".parquet")))
    _killed()


if __name__ == "__main__":
    point, now = sys.argv[1:]
    arm(point)
    with session("pipeline", autocommit=True) as connection:
        merge(connection, settings().lake, clock=lambda: datetime.fromisoformat(now))
