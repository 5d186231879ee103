select
    batch_id, topic, topic_id, partition as log_partition, "offset" as log_offset,
    workspace_id, entity_id, event_id, version, rule, detail, row as event, quarantined_at, released_in_batch
from {{ source('silver', 'quarantine') }}
