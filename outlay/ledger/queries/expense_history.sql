-- page: expenses
-- grain: one accepted event of one transaction, oldest first
-- parameters: transaction_id
SELECT e.event_id, e.version, e.operation, e.actor_id, e.source, e.recorded_at, e.topic, e.partition, e."offset", e.state
FROM live.events AS e
WHERE
    e.workspace_id = live.current_workspace()
    AND e.topic = 'transaction'
    AND e.entity_id = %(transaction_id)s
    AND e.decision = 'accepted'
ORDER BY e.version
