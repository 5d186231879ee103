-- page: every
-- grain: one partition of the log that holds events of the workspace, with the last offset that live has committed
-- parameters: none
--
-- What open pages poll: one probe of the primary key for each partition, whatever the number of events.
SELECT o.topic, o.topic_id, o.partition, last.offset
FROM live.offsets AS o
CROSS JOIN LATERAL (
    SELECT max(e."offset") AS "offset"
    FROM live.events AS e
    WHERE
        e.workspace_id = live.current_workspace()
        AND e.topic_id = o.topic_id
        AND e.partition = o.partition
) AS last
WHERE last.offset IS NOT NULL
ORDER BY o.topic, o.topic_id, o.partition
