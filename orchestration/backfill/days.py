"""Which batches the events of some days are in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import psycopg

_OF_DAYS = """
SELECT DISTINCT b.batch_id
FROM bronze.files AS f INNER JOIN silver.batch_files AS b USING (file_id)
WHERE f.topic = %s AND f.kind = 'events' AND f.ingest_date BETWEEN %s AND %s
"""

_CLOSED = """
WITH RECURSIVE released AS MATERIALIZED ( -- batches of events that were released, or set aside again all the same
    SELECT batch_id FROM silver.batches AS b
    WHERE b.topic = 'transaction' AND NOT EXISTS (SELECT FROM silver.batch_files AS own WHERE own.batch_id = b.batch_id)
), places AS (
    SELECT batch_id, topic_id, partition, "offset" FROM released INNER JOIN silver.transaction_events USING (batch_id)
    UNION
    SELECT batch_id, topic_id, partition, "offset" FROM released INNER JOIN silver.quarantine USING (batch_id)
), shared AS MATERIALIZED ( -- with the batches that their files went into
    SELECT DISTINCT places.batch_id AS released_in, landed.batch_id AS landed_in
    FROM places
    INNER JOIN bronze.files AS f
        ON f.topic_id = places.topic_id AND f.partition = places.partition
        AND places."offset" BETWEEN f.first_offset AND f.last_offset AND f.kind = 'events'
    INNER JOIN silver.batch_files AS landed USING (file_id)
), closed (batch_id) AS (
    SELECT unnest(%s::bigint[])
    UNION
    SELECT either.batch_id
    FROM closed
    INNER JOIN shared ON closed.batch_id IN (shared.released_in, shared.landed_in)
    CROSS JOIN LATERAL (VALUES (shared.released_in), (shared.landed_in)) AS either (batch_id)
)
SELECT batch_id FROM closed ORDER BY batch_id
"""


_LOGS = "SELECT count(DISTINCT topic_id) FROM bronze.files WHERE topic = %s AND kind = 'events'"


class SeveralLogs(RuntimeError):
    """A topic was created anew, so that gold knows which log is the older one by the numbers of its batches."""

    def __init__(self, topic: str, logs: int) -> None:
        super().__init__(
            f"expected one log of the topic {topic}, found {logs}: it was created anew, and batches made again would"
            " come after those of the log that followed. Nothing was replaced; choose other topics"
        )


def batches_of(connection: psycopg.Connection, topic: str, first: date, last: date) -> list[int]:
    """The published batches to make again for a topic's events of these ingest dates (UTC), both included.

    Files that no batch has used yet are not theirs: the next build publishes them.

    Raises:
        SeveralLogs: the topic was created anew.
    """
    (logs,) = connection.execute(_LOGS, (topic,)).fetchone()
    if logs > 1:
        raise SeveralLogs(topic, logs)
    rows = connection.execute(_OF_DAYS, (topic, first, last)).fetchall()
    return closed(connection, [batch_id for (batch_id,) in rows])


def closed(connection: psycopg.Connection, batch_ids: Sequence[int]) -> list[int]:
    """These batches, and all that share events with them: those of events that were released, and what those are of."""
    return [batch_id for (batch_id,) in connection.execute(_CLOSED, (list(batch_ids),))]
