"""How many lanes the load asks for."""

from __future__ import annotations

import threading
import time

from ingestion.projection.log import MAX_BATCH

_IN_A_ROW = 3  # full batches after which one lane does not keep up
_CALM = 2.0  # seconds of small batches after which one lane is enough
_SMALL = 10  # a batch of less than a tenth of a full one is small


class Load:
    """One lane while it keeps up, and as many as are allowed while it does not.

    More lanes write more in all, but share what comes into smaller batches, each with a transaction's fixed cost: at a
    pace that one lane keeps up with, an event is seen later. Thread-safe.

    Args:
        most: lanes at most.
        fewest: lanes at least.
        full: messages from which on a batch says that more are waiting.

    Attributes:
        lanes: how many are asked for now.
    """

    def __init__(self, most: int, *, fewest: int = 1, full: int = MAX_BATCH // 2):
        self._most, self._fewest, self._full = most, fewest, full
        self._lock = threading.Lock()
        self.lanes = fewest
        self._begin()

    def count(self, messages: int, *, of: int) -> None:
        """Count a batch.

        Args:
            messages: how many the batch has.
            of: how many lanes there are; another number than is asked for now is too late to count.
        """
        with self._lock:
            if of != self.lanes:
                return
            self._row = self._row + 1 if messages >= self._full else 0
            self._messages += messages
            self._batches += 1
            if self.lanes < self._most and self._row >= _IN_A_ROW:
                self._ask(self._most)
            elif time.monotonic() - self._since > _CALM:
                if self._messages * _SMALL < self._full * self._batches:
                    self._ask(self._fewest)
                self._begin()

    def _ask(self, lanes: int) -> None:
        self.lanes = lanes
        self._begin()

    def _begin(self) -> None:
        self._row = self._messages = self._batches = 0
        self._since = time.monotonic()
