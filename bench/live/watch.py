"""When each transaction became visible to readers, without asking for any of them while they come."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from types import TracebackType
from typing import NamedTuple, Self

import psycopg


class _Seen(NamedTuple):
    at: float
    xmax: int
    running: frozenset[int]

    def sees(self, xid: int) -> bool:
        return xid < self.xmax and xid not in self.running


class Watch:
    """Takes snapshots of a database, as every reader does, again and again in a thread.

    A row carries the number of the transaction that wrote it, so that afterwards the first snapshot that sees it tells
    when it could be read, to the `pause` between two.

    Args:
        pause: seconds.
    """

    def __init__(self, dsn: str, pause: float):
        self._dsn, self._pause = dsn, pause
        self._seen: list[_Seen] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def visible(self, xid: int) -> float:
        """When a reader first could see what the transaction `xid` wrote: seconds of `time.time`.

        Raises:
            LookupError: never, so far.
        """
        found = bisect_left(self._seen, True, key=lambda seen: seen.sees(xid))
        if found == len(self._seen):
            raise LookupError(f"no snapshot saw the transaction {xid}")
        return self._seen[found].at

    def _look(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True, application_name="bench-watch") as connection:
            while not self._ended.wait(self._pause):
                (snapshot,) = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
                _, xmax, running = snapshot.split(":")
                xids = frozenset(map(int, running.split(","))) if running else frozenset()
                self._seen.append(_Seen(time.time(), int(xmax), xids))
