"""Silver's Parquet merged by day: many small files become few, and nobody who reads them sees a difference.

Each build publishes small batches, each below a path of its own, so that a day leaves hundreds of small files. A merge
takes the batches of a topic that were published on one day (UTC) which is over, and writes their Parquet once more,
below one new path:

1. The new path is noted in ``silver.removals``. So what a crash leaves is known, and removed later.
2. The files are written (`rewrite`): by part and ingest date, in the order of the batches, with the number of each
   row's batch. A file ends at a million rows or 128 MB, and where the schema changes; memory holds one row group.
3. The new files are read again beside the old ones, and must hold the same rows, column by column, in the same order;
   and of each batch as many as silver's tables have (`verify`). What was damaged before is not made to look whole.
4. One transaction points the batches at the new path, if each is still at the old one; takes the new path out of
   ``silver.removals``; and notes the old ones there (`swap`). If one was moved or taken out of silver meanwhile,
   nothing changes.
5. The old folders are removed when `GRACE` has passed since (`removals`): a reader that asked for the folders before
   the swap may read them until then.

A batch keeps its number, its place in the order and its counts, and silver's tables are only read; so gold, and all
else that follows the numbers, has nothing to do. Killed anywhere, each batch is where the manifest says, whole.

**Why by day of publication, and not by ingest date.** A batch has one row in the manifest, and that names one path. It
may hold several ingest dates: after a landing past midnight, of a backlog, of events that were released from quarantine
long after. Merged by ingest date it would lie in several places, and each late batch would open an old day again. It is
published once, and none comes to a day that is over. The ingest dates stay where readers look for them: as the folders
``ingest_date=...`` below the path, merged or not. A publication that began before midnight and ended after it joins its
day in the next merge. Batches of a day are merged where they follow each other, so that a clock that was set back
cannot change their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import psycopg
from uuid6 import uuid7

from ingestion import turns
from ingestion.contracts import TOPICS
from orchestration.batches import reading
from orchestration.batches.reading import File, Folder
from orchestration.merging import removals
from orchestration.merging.days import Day, over
from orchestration.merging.errors import MergeRunning, NotMerged
from orchestration.merging.rewrite import rewrite
from orchestration.merging.swap import swap
from orchestration.merging.verify import verify

__all__ = ["GRACE", "Done", "Merged", "NotMerged", "merge"]

GRACE = timedelta(hours=12)
"""How long a reader may use the folders that it asked for: less than a day, so that the next night removes them."""

_RIGHT = 0x6D657267696E67  # "merging"


@dataclass(frozen=True)
class Merged:
    """A day of a topic that was merged into the folder `path`: its batches, and its files, bytes and rows."""

    topic: str
    day: date
    path: str
    batches: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rows: int


@dataclass
class Done:
    """What one run did: days merged, folders removed, and why a day was not merged, in one line each."""

    merged: list[Merged] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def merge(
    connection: psycopg.Connection,
    lake: str,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    topics: Sequence[str] = TOPICS,
) -> Done:
    """Merge every day that is over and lies below more than one path, and remove what was replaced `GRACE` ago.

    Run again at once it finds nothing to do. One merge runs at a time, the others wait. A day that cannot be merged is
    left as it was and named; the others are merged.

    Args:
        connection: in autocommit mode, with the rights of ``outlay_pipeline``.
        lake: the lake's root, a folder or an fsspec URL.
        clock: the time, aware: what day it is, and when what is replaced may go.

    Raises:
        MergeRunning: another merge has been at work for ten minutes.
        LakeUnavailable: the lake does not answer, or refuses; what was merged stays merged.
    """
    done = Done()
    with turns.turn(connection, _RIGHT, patience="10min", busy=MergeRunning()):
        done.removed = removals.remove(connection, lake, clock())
        for topic in topics:
            for day in over(connection, topic, clock().astimezone(UTC).date()):
                try:
                    done.merged.append(_merge(connection, lake, day, clock))
                except NotMerged as error:
                    done.refused.append(str(error))
    return done


def _merge(connection: psycopg.Connection, lake: str, day: Day, clock: Callable[[], datetime]) -> Merged:
    path = f"silver/{day.topic}/batch={day.on}_{uuid7()}"
    removals.note(connection, day.topic, path, clock() + GRACE)
    try:
        old = reading.files(lake, day.folders)
        rewrite(lake, old, path)
        new = reading.files(lake, [Folder(path, day.batch_ids)])
        rows = verify(connection, lake, day, old, new)
    except reading.NotReadable as error:
        raise NotMerged(day, str(error)) from error
    swap(connection, day, path, clock() + GRACE)
    return Merged(day.topic, day.on, path, len(day.batch_ids), len(old), len(new), _size(old), _size(new), rows)


def _size(files: Sequence[File]) -> int:
    return sum(file.bytes for file in files)
