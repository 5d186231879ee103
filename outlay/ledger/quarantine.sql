-- name: events
-- One row for each event that was set aside: the rules it breaks, its release, and whether live still stands on it.
SELECT q.*, r.reason, r.released_by, r.released_at,
       CASE
           WHEN r.rules @> q.rules THEN 'released'
           WHEN current.topic_id IS NULL THEN 'unseen'
           WHEN (current.topic_id, current.partition, current."offset") <> (q.topic_id, q.partition, q."offset") THEN 'replaced'
           ELSE 'open'
       END AS state
FROM (
    SELECT topic, topic_id, partition, "offset", workspace_id, entity_id, event_id, version,
           array_agg(rule ORDER BY rule) AS rules, array_agg(detail ORDER BY rule) AS details, (array_agg(row))[1] AS event,
           min(batch_id) AS batch_id, min(quarantined_at) AS quarantined_at, min(released_in_batch) AS released_in_batch
    FROM silver.quarantine_states
    GROUP BY topic, topic_id, partition, "offset", workspace_id, entity_id, event_id, version
) AS q
LEFT JOIN silver.releases AS r ON r.topic_id = q.topic_id AND r.partition = q.partition AND r."offset" = q."offset"
LEFT JOIN LATERAL (
    SELECT t.topic_id, t.partition, t."offset" FROM live.transactions AS t
    WHERE q.topic = 'transaction' AND t.workspace_id = q.workspace_id AND t.transaction_id = q.entity_id
    UNION ALL
    SELECT n.topic_id, n.partition, n."offset" FROM live.entities AS n
    WHERE q.topic <> 'transaction' AND n.workspace_id = q.workspace_id AND n.entity_id = q.entity_id
        AND n.entity = coalesce(q.event ->> 'entity', q.topic)
) AS current ON true

-- name: release
INSERT INTO silver.releases (topic_id, partition, "offset", rules, reason, released_by)
VALUES (%(topic_id)s, %(partition)s, %(offset)s, %(rules)s, %(reason)s, %(by)s)
ON CONFLICT (topic_id, partition, "offset") DO UPDATE
SET rules = excluded.rules, reason = excluded.reason, released_by = excluded.released_by, released_at = DEFAULT
WHERE NOT releases.rules @> excluded.rules

-- name: in_two_logs
-- Whether the transaction has events in another log of its topic, which was created again.
SELECT EXISTS (
    SELECT FROM silver.transaction_events
    WHERE workspace_id = %(workspace_id)s AND transaction_id = %(entity_id)s AND topic_id <> %(topic_id)s
    UNION ALL
    SELECT FROM silver.quarantine
    WHERE workspace_id = %(workspace_id)s AND entity_id = %(entity_id)s AND topic_id <> %(topic_id)s
)
