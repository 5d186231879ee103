-- page: dashboard
-- grain: one row, when a model of gold was last built, and which expenses have changed in live since; none before its first build
-- parameters: model, at_most, named
--
-- Newer are the transactions with an event behind the offsets that the model's batches reach: those of the first `at_most`
-- such events, by their ids where they are to be `named`. `is_up_to_date` says whether fct_daily_spend sums up what
-- fct_transactions holds, and not what it held before a build that goes on.
WITH built AS (
    SELECT p.batch_id, p.built_at FROM gold.progress AS p WHERE p.model = %(model)s
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

SELECT
    built.built_at,
    (SELECT count(DISTINCT newer.entity_id) FROM newer) AS newer,
    (SELECT count(*) < %(at_most)s FROM newer) AS is_all,
    CASE WHEN %(named)s THEN (SELECT array_agg(DISTINCT newer.entity_id) FROM newer) END AS transaction_ids,
    (
        SELECT count(DISTINCT p.batch_id) = 1 FROM gold.progress AS p
        WHERE p.model IN ('fct_daily_spend', 'fct_transactions')
    ) AS is_up_to_date
FROM built
