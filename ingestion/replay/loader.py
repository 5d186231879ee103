"""Writing the twin: the projector's own merge, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import psycopg

from ingestion.projection.log import MAX_BATCH, Partition, Topic
from ingestion.projection.records import Record
from ingestion.projection.view import View
from ingestion.replay.source import Source
from ingestion.replay.twin import TWIN

_MAX_BYTES = 16 << 20  # of a batch's values: messages may be large

# What the projector tells those who listen, they have heard when the event was new.
_QUIET = """
SELECT topic, count(*) FILTER (WHERE decision = 'accepted') AS accepted,
       count(*) FILTER (WHERE decision = 'duplicate') AS duplicate, count(*) FILTER (WHERE decision = 'stale') AS stale,
       NULL
FROM decided GROUP BY topic
"""


class _Twin(View):
    """The view in `replay`, which tells nobody."""

    def __init__(self, connection: psycopg.Connection, topics: Mapping[str, Topic]):
        super().__init__(connection, topics, schema=TWIN)
        self._sql = self._sql | {"notify": _QUIET}


class Loader:
    """Brings the twin to places of the log. What is committed is never read twice.

    Args:
        connection: as the owner, in autocommit, for the loader alone.
        on_progress: told after each batch how many offsets the twin stands beyond their beginnings.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        topics: Mapping[str, Topic],
        source: Source,
        on_progress: Callable[[int], None] = lambda done: None,
    ):
        self._view, self._source, self._on_progress = _Twin(connection, topics), source, on_progress

    @property
    def positions(self) -> Mapping[Partition, int]:
        """Where the twin stands: the next offset of each partition."""
        return self._view.positions

    def behind(self, target: Mapping[Partition, int]) -> int:
        """How many offsets the twin has to go to `target`."""
        return sum(max(0, offset - self.positions[place]) for place, offset in target.items())

    def load(self, target: Mapping[Partition, int], *, within: float | None = None) -> bool:
        """Read each partition from where the twin stands to `target`, exactly; False if that took too long.

        Args:
            within: seconds after which it ends between two batches or partitions.

        Raises what `Source.records` raises.
        """
        deadline = None if within is None else time.monotonic() + within
        batch: list[Record] = []
        size, positions = 0, {}
        for place, end in sorted(target.items()):
            if self.positions[place] >= end:
                continue
            for record in self._source.records(place, self.positions[place], end):
                batch.append(record)
                size += len(record.value or b"")
                positions[place] = record.offset + 1
                if len(batch) >= MAX_BATCH or size >= _MAX_BYTES:
                    self._write(batch, positions)
                    batch, size, positions = [], 0, {}
            positions[place] = end  # the last offsets may be the marks of transactions
            if deadline is not None and time.monotonic() > deadline:
                break
        self._write(batch, positions)
        return self.behind(target) == 0

    def _write(self, batch: list[Record], positions: dict[Partition, int]) -> None:
        self._view.write(batch, positions)
        self._on_progress(sum(self.positions.values()))
