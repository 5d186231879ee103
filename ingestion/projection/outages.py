"""What the projector says while a server is away."""

from __future__ import annotations

import random
import time
from typing import NamedTuple

import structlog
from confluent_kafka import KafkaException

from ingestion.projection.lane import Lane

_LONGEST_WAIT = 5  # seconds

log = structlog.get_logger("outlay.live")


class _Since(NamedTuple):
    began: float
    tries: int


class Outages:
    """Tells the begin and the end of each lane's outage in one line each, and how long to wait before the next try.

    Thread-safe: a lane is one thread's.
    """

    def __init__(self) -> None:
        self._of: dict[int, _Since] = {}

    def begun(self, lane: Lane, error: Exception) -> float:
        """The lane cannot go on; returns the seconds until it is to try again."""
        began, tries = self._of.get(lane.number, (time.monotonic(), 0))
        if not tries:
            place = {"lane": lane.number, "kind": type(error).__name__}
            log.warning("a server is away, trying again", error=_line(error), **place)
        self._of[lane.number] = _Since(began, tries + 1)
        return min(_LONGEST_WAIT, 0.1 * 2 ** (tries + 1)) * random.uniform(0.5, 1)  # noqa: S311

    def over(self, lane: Lane) -> None:
        """The lane has committed. What stood in the way of lanes that there are no longer does not either."""
        for number in list(self._of):
            if number == lane.number or number >= lane.of:
                since = self._of.pop(number, None)
                if since is not None:
                    log.info("the server is back", lane=number, seconds=round(time.monotonic() - since.began, 1))


def _line(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return f"Kafka: {error.args[0].str()}"
    return str(error).strip().splitlines()[0]
