"""What the log says of dead letters: each one, and an alert for a rising share. Nothing stops for them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from ingestion.projection.records import Record

log = structlog.get_logger("outlay.live")

_STEP = 5  # seconds that are counted together
_LINES = 10  # of one batch: a flood of letters must not become a flood of lines


def tell_each(letters: Sequence[Record]) -> None:
    """Log a line for each of a batch's dead letters; beyond the first few, one line that counts the others."""
    for letter in letters[:_LINES]:
        place = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset}
        log.warning("dead letter", **place, reason=letter.reason)
    if len(letters) > _LINES:
        log.warning("more dead letters: see `outlay dead-letters list`", letters=len(letters) - _LINES)


class ShareAlert:
    """Logs one warning when dead letters pass a share of the last minutes' messages, and one line when it is over.

    Thread-safe.

    Args:
        share: of 1; at or above it the alert begins, below half of it the alert is over, so that it does not flutter.
        least: dead letters in the window below which nothing is told: each has its own line in the log already.
        window: seconds.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        *,
        share: float = 0.01,
        least: int = 10,
        window: float = 300,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._share, self._least, self._window, self._clock = share, least, window, clock
        self._counts: deque[list] = deque()  # [began, messages, dead letters], oldest first
        self._messages = self._dead = 0
        self._raised = False
        self._lock = threading.Lock()

    def count(self, messages: int, dead: int) -> None:
        """Add what was just read. To be called with nothing read as well, so that an alert can end."""
        with self._lock:
            self._count(messages, dead)

    def _count(self, messages: int, dead: int) -> None:
        now = self._clock()
        if messages:
            if not self._counts or now - self._counts[-1][0] >= _STEP:
                self._counts.append([now, 0, 0])
            self._counts[-1][1] += messages
            self._counts[-1][2] += dead
            self._messages += messages
            self._dead += dead
        while self._counts and now - self._counts[0][0] > self._window:
            _, gone, gone_dead = self._counts.popleft()
            self._messages -= gone
            self._dead -= gone_dead
        share = self._dead / self._messages if self._messages else 0.0
        if not self._raised and share >= self._share and self._dead >= self._least:
            self._raised = True
            log.warning("many dead letters: see `outlay dead-letters list`", **self._figures(share))
        elif self._raised and share < self._share / 2:
            self._raised = False
            log.info("dead letters are few again", **self._figures(share))

    def _figures(self, share: float) -> dict[str, float]:
        figures = {"dead_letters": self._dead, "messages": self._messages, "percent": round(100 * share, 2)}
        return figures | {"minutes": round(self._window / 60, 1)}
