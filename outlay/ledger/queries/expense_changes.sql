-- page: expenses
-- grain: one accepted event of one transaction of the workspace, behind a place in the log, in the log's order
-- parameters: topic_ids, partitions, offsets, size
--
-- The place is a next offset for each partition that has one, in three arrays; a partition without one is read from its
-- start. Each is a range of the primary key, whatever the number of events before it.
SELECT e.topic_id, e.partition, e."offset", e.transaction_id
FROM live.offsets AS o
LEFT JOIN unnest(%(topic_ids)s::text[], %(partitions)s::int[], %(offsets)s::bigint[]) AS c (topic_id, partition, next_offset)
    ON c.topic_id = o.topic_id AND c.partition = o.partition
CROSS JOIN LATERAL (
    SELECT h.topic_id, h.partition, h."offset", h.entity_id AS transaction_id
    FROM live.events AS h
    WHERE
        h.workspace_id = live.current_workspace()
        AND h.topic_id = o.topic_id
        AND h.partition = o.partition
        AND h."offset" >= coalesce(c.next_offset, 0)
        AND h.decision = 'accepted'
    ORDER BY h."offset"
    LIMIT %(size)s
) AS e
WHERE o.topic = 'transaction'
ORDER BY e.topic_id, e.partition, e."offset"
LIMIT %(size)s
