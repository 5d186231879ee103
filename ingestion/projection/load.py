"""How many lanes the load asks for."""

from __future__ import annotations

import threading
import time

from ingestion.projection.log import MAX_BATCH

_IN_A_ROW = 3  # batches that left much waiting, after which one lane does not keep up
_CALM = 2.0  # seconds of a pace that one lane would keep up with
_ROOM = 2  # times the pace that one lane must have been able to do


class Load:
    """One lane while it keeps up, and as many as are allowed while it does not.

    More lanes write more in all, but share what comes into smaller batches, each with a transaction's fixed cost: at a
    pace that one lane keeps up with, an event is seen later. Thread-safe.

    Args:
        most: lanes at most.
        fewest: lanes at least.
        much: messages that wait behind a batch from which on it is one of those that leave much waiting.

    Attributes:
        lanes: how many are asked for now.
    """

    def __init__(self, most: int, *, fewest: int = 1, much: int = MAX_BATCH // 2):
        self._most, self._fewest, self._much = most, fewest, much
        self._lock = threading.Lock()
        self._one_lane = 0.0  # messages a second that one lane could do when it did not keep up
        self.lanes = fewest
        self._begin()

    def count(self, messages: int, *, waiting: int, of: int) -> None:
        """Count a batch that was committed.

        Args:
            messages: how many the batch has.
            waiting: how many the log has behind it, of the lane's part.
            of: how many lanes there are; another number than is asked for now is too late to count.
        """
        with self._lock:
            if of != self.lanes or self._fewest == self._most:
                return
            if self.lanes < self._most:
                self._keeps_up(messages, waiting)
            else:
                self._is_calm(messages, waiting)

    def _keeps_up(self, messages: int, waiting: int) -> None:
        if waiting < self._much:
            self._begin()
            return
        self._add(messages)
        if self._batches == _IN_A_ROW:
            self._one_lane = self._pace()
            self._ask(self._most)

    def _is_calm(self, messages: int, waiting: int) -> None:
        if waiting >= self._much:
            self._begin()
            return
        self._add(messages)
        if time.monotonic() - self._since > _CALM:
            if self._pace() * _ROOM <= self._one_lane:
                self._ask(self._fewest)
            else:
                self._begin()

    def _ask(self, lanes: int) -> None:
        self.lanes = lanes
        self._begin()

    def _begin(self) -> None:
        self._batches = self._messages = 0

    def _add(self, messages: int) -> None:
        """Count one of those that the pace is of, which is that of what came after the first."""
        if self._batches == 0:
            self._since = time.monotonic()
        else:
            self._messages += messages
        self._batches += 1

    def _pace(self) -> float:
        return self._messages / max(time.monotonic() - self._since, 0.001)
