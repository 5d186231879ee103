-- name: events
-- Where each event of a correlation id has come to. Silver and what it set aside hold it once, under its place in the log.
SELECT
    e.event_id, e.workspace_id, e.entity, e.entity_id, e.version, e.operation, e.source, e.decision, e.recorded_at,
    e.topic, e.partition, e."offset", e.logged_at, e.committed_at, f.path, f.created_at AS landed_at,
    b.batch_id, b.published_at, s.rule
FROM live.events AS e
LEFT JOIN bronze.files AS f
    ON f.topic_id = e.topic_id AND f.partition = e.partition AND f.kind = 'events'
    AND e."offset" BETWEEN f.first_offset AND f.last_offset
LEFT JOIN LATERAL (
    SELECT batch_id, NULL AS rule FROM silver.transaction_events AS t
    WHERE t.workspace_id = e.workspace_id AND t.transaction_id = e.entity_id
        AND (t.topic_id, t.partition, t."offset") = (e.topic_id, e.partition, e."offset")
    UNION ALL
    SELECT batch_id, NULL FROM silver.user_events AS u
    WHERE u.workspace_id = e.workspace_id AND u.entity = e.entity AND u.entity_id = e.entity_id
        AND (u.topic_id, u.partition, u."offset") = (e.topic_id, e.partition, e."offset")
    UNION ALL
    SELECT min(batch_id), string_agg(rule, ', ' ORDER BY rule) FROM silver.quarantine AS q
    WHERE (q.topic_id, q.partition, q."offset") = (e.topic_id, e.partition, e."offset")
    HAVING count(*) > 0
) AS s ON true
LEFT JOIN silver.batches AS b USING (batch_id)
WHERE e.correlation_id = %(correlation_id)s AND length(e.correlation_id) <= 64
ORDER BY e.recorded_at, e.event_id, e.logged_at

-- name: built
-- When each batch had come to the facts, or to the newest of the tables of people and places.
SELECT batch.batch_id, min(r.finished_at) AS built_at
FROM unnest(%(batches)s::bigint[]) AS batch (batch_id)
INNER JOIN gold.model_runs AS r ON r.since < batch.batch_id AND r.upto >= batch.batch_id AND r.model = %(model)s
GROUP BY batch.batch_id
