-- page: dashboard
-- grain: one row, when the spending of gold was last built, and how many expenses have changed in live since; none before the first build
-- parameters: at_most
--
-- Newer are the transactions with an event behind the offsets that gold's batches reach; counted up to `at_most`.
WITH built AS (
    SELECT p.batch_id, p.built_at FROM gold.progress AS p WHERE p.model = 'fct_daily_spend'
),

reached AS (
    SELECT l.topic_id, l.partition, max(l.next_offset) AS next_offset
    FROM silver.log_places AS l
    INNER JOIN built ON l.batch_id <= built.batch_id
    WHERE l.topic = 'transaction'
    GROUP BY l.topic_id, l.partition
),

newer AS (
    SELECT e.entity_id
    FROM live.offsets AS o
    LEFT JOIN reached ON reached.topic_id = o.topic_id AND reached.partition = o.partition
    INNER JOIN live.events AS e
        ON e.workspace_id = live.current_workspace()
        AND e.topic_id = o.topic_id
        AND e.partition = o.partition
        AND e."offset" >= coalesce(reached.next_offset, 0)
    WHERE o.topic = 'transaction' AND e.decision = 'accepted'
    LIMIT %(at_most)s
)

SELECT built.built_at, (SELECT count(DISTINCT newer.entity_id) FROM newer) AS newer
FROM built
