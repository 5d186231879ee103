"""The numbers of silver's batches: they grow in the order of publication, whatever a batch is of."""

from __future__ import annotations

import psycopg

_ORDER = 0x73696C766572  # "silver": publications happen one after the other, so batch_id grows in their order


def in_turn(connection: psycopg.Connection) -> None:
    """Wait for the right to name a batch, and hold it until the caller's transaction ends.

    What is read after it is what every batch before has left, and stays so until this transaction's own.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ORDER,))


def number(
    connection: psycopg.Connection,
    *,
    topic: str,
    path: str,
    rows_read: int,
    rows_published: int,
    rows_quarantined: int = 0,
    run_id: str | None = None,
) -> int:
    """Name a batch in ``silver.batches`` and return its number, within the caller's transaction.

    Until that transaction ends, no other batch is named.

    Args:
        topic: what the batch is of: a topic of the log, or ``fx_rates``.
        path: where its file or Parquet lies, below the lake's root.
    """
    in_turn(connection)
    (batch_id,) = connection.execute(
        "INSERT INTO silver.batches (batch_id, topic, path, rows_read, rows_published, rows_quarantined, run_id)"
        " VALUES (nextval('silver.batch_ids'), %s, %s, %s, %s, %s, %s) RETURNING batch_id",
        (topic, path, rows_read, rows_published, rows_quarantined, run_id),
    ).fetchone()
    return batch_id
