"""Which days are to be merged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg

from orchestration.batches.reading import Folder

_OVER = """
WITH published AS (
    SELECT batch_id, path, (published_at AT TIME ZONE 'UTC')::date AS day FROM silver.batches WHERE topic = %(topic)s
), following AS ( -- batches that follow each other and were published on the same day have the same number
    SELECT *, row_number() OVER (ORDER BY batch_id) - row_number() OVER (PARTITION BY day ORDER BY batch_id) AS run
    FROM published
)
SELECT day, array_agg(batch_id ORDER BY batch_id), array_agg(path ORDER BY batch_id) FROM following
WHERE day < %(today)s GROUP BY day, run HAVING count(DISTINCT path) > 1 ORDER BY min(batch_id)
"""


@dataclass(frozen=True)
class Day:
    """Batches of a topic that were published one after the other on one day (UTC), and where each one's Parquet is."""

    topic: str
    on: date
    batch_ids: list[int]
    paths: list[str]

    @property
    def folders(self) -> list[Folder]:
        """The paths, each once, with these of their batches."""
        found: dict[str, list[int]] = {}
        for batch_id, path in zip(self.batch_ids, self.paths, strict=True):
            found.setdefault(path, []).append(batch_id)
        return [Folder(path, ids) for path, ids in found.items()]


def over(connection: psycopg.Connection, topic: str, today: date) -> list[Day]:
    """The days before `today` whose batches lie below more than one path, the oldest first."""
    rows = connection.execute(_OVER, {"topic": topic, "today": today})
    return [Day(topic, *row) for row in rows.fetchall()]
