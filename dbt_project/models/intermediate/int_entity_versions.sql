{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['user', 'report', 'reminder'],
    touched='int_entity_events',
    replace_by=['workspace_id', 'entity', 'entity_id'],
    indexes=[{'columns': ['batch_id']}],
) }}

with touched as (
    {{ touched(ref('int_entity_events'), ['workspace_id', 'entity', 'entity_id']) }}
),

-- What was quarantined is no version, but was seen: a later event of its version is as stale here as it is in live.
events as (
    select
        e.workspace_id, e.entity, e.entity_id, e.topic_id, e.log_partition, e.log_offset, e.batch_id, e.event_id, e.version,
        e.operation, e.state, e.occurred_at, e.recorded_at, true as is_valid
    from {{ ref('int_entity_events') }} as e
    inner join touched
        on touched.workspace_id = e.workspace_id and touched.entity = e.entity and touched.entity_id = e.entity_id
    where e.batch_id <= {{ upto() }}
    union all
    select
        touched.workspace_id, touched.entity, touched.entity_id, q.topic_id, q.log_partition, q.log_offset, q.batch_id, q.event_id,
        q.version, null, null, null, null, false
    from (
        select distinct
            workspace_id, entity_id, topic_id, log_partition, log_offset, batch_id, event_id, version,
            case topic when 'user' then event ->> 'entity' else topic end as entity
        from {{ ref('stg_quarantine') }}
        where topic <> 'transaction' and batch_id <= {{ upto() }} and event_id is not null and version is not null
    ) as q
    inner join touched
        on touched.workspace_id = q.workspace_id and touched.entity = q.entity and touched.entity_id = q.entity_id
),

decided as (
    {{ decide('events', ['workspace_id', 'entity', 'entity_id']) }}
),

changed as (
    select *, max(batch_id) filter (where is_valid) over (partition by workspace_id, entity, entity_id) as changed_in_batch
    from decided
)

select
    workspace_id,
    entity,
    entity_id,
    version,
    operation = 'deleted' as is_deleted,
    state,
    occurred_at,
    recorded_at,
    batch_id as told_in_batch,
    changed_in_batch as batch_id
from changed
where decision = 'accepted' and is_valid
