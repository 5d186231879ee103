"""The moment of a merge: one transaction in which the manifest says another path."""

from __future__ import annotations

from datetime import datetime

import psycopg

from orchestration.merging import removals
from orchestration.merging.days import Day
from orchestration.merging.errors import NotMerged

_MOVE = """
UPDATE silver.batches AS b SET path = %(path)s
FROM unnest(%(batch_ids)s::bigint[], %(paths)s::text[]) AS was (batch_id, path)
WHERE (b.batch_id, b.path) = (was.batch_id, was.path)
"""


def swap(connection: psycopg.Connection, day: Day, path: str, remove_after: datetime) -> None:
    """Let the day's batches lie below `path`, which was noted, and note the paths that nobody names any more.

    Raises:
        NotMerged: a batch is not where it was when the merge began, or the new path is not noted.
    """
    with connection.transaction():
        noted = removals.take_back(connection, path)
        moved = connection.execute(_MOVE, {"path": path, "batch_ids": day.batch_ids, "paths": day.paths}).rowcount
        if not noted or moved != len(day.batch_ids):
            raise NotMerged(
                day, "its batches were merged or taken out of silver by somebody else meanwhile; merge again"
            )
        for old in dict.fromkeys(day.paths):
            removals.note(connection, day.topic, old, remove_after)
