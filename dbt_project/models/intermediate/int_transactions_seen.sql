{{ config(materialized='view') }}

-- What was quarantined cannot be current, but was seen: a later event of its version is as stale here as it is in live.
select
    e.batch_id, e.workspace_id, e.transaction_id, e.topic_id, e.log_partition, e.log_offset, e.event_id, e.version, true as is_valid
from {{ ref('stg_transaction_events') }} as e
union all
select
    q.batch_id, q.workspace_id, q.entity_id, q.topic_id, q.log_partition, q.log_offset, q.event_id, q.version, false
from {{ ref('stg_quarantine') }} as q
where
    q.topic = 'transaction' and q.workspace_id is not null and q.entity_id is not null and q.event_id is not null
    and q.version is not null
    -- One row an event, however many rules it broke.
    and not exists (
        select from {{ ref('stg_quarantine') }} as other
        where other.topic_id = q.topic_id and other.log_partition = q.log_partition and other.log_offset = q.log_offset
            and other.rule < q.rule
    )
