"""Folders of Parquet that the manifest does not name: what a merge is writing, and what merges have replaced."""

from __future__ import annotations

from datetime import datetime

import psycopg

from ingestion.landing import store
from orchestration.batches import parquet

_UNNAMED = "NOT EXISTS (SELECT FROM silver.batches AS b WHERE b.path = r.path)"


def note(connection: psycopg.Connection, topic: str, path: str, remove_after: datetime) -> None:
    """Let the folder be removed after this time, unless a batch lies there then."""
    connection.execute(
        "INSERT INTO silver.removals (path, topic, remove_after) VALUES (%s, %s, %s)"
        " ON CONFLICT (path) DO UPDATE SET remove_after = excluded.remove_after",
        (path, topic, remove_after),
    )


def take_back(connection: psycopg.Connection, path: str) -> bool:
    """Let the folder stay; whether it was noted."""
    return connection.execute("DELETE FROM silver.removals WHERE path = %s", (path,)).rowcount == 1


def remove(connection: psycopg.Connection, lake: str, now: datetime) -> list[str]:
    """Remove the folders whose time has come, and return their paths. A folder that the manifest names stays.

    Nobody may be merging meanwhile. A note is dropped after its files, so that a crash leaves no file without one.

    Raises:
        LakeUnavailable: the lake does not answer, or refuses.
    """
    due = connection.execute(
        f"SELECT path FROM silver.removals AS r WHERE remove_after <= %s AND {_UNNAMED} ORDER BY remove_after, path",  # noqa: S608
        (now,),
    ).fetchall()
    for (path,) in due:
        with store.asking(lake):
            parquet.remove(lake, path)
        take_back(connection, path)
    return [path for (path,) in due]
