select
    batch_id, workspace_id, topic_id, partition as log_partition, "offset" as log_offset, logged_at,
    event_id, entity, entity_id, version, operation, decision as batch_decision,
    actor_id, source as event_source, external_id, correlation_id, occurred_at, recorded_at, state
from {{ source('silver', 'report_events') }}
