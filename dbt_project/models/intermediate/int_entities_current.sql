{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['user'],
    touched='stg_user_events',
    replace_by=['workspace_id', 'entity', 'entity_id'],
    indexes=[{'columns': ['batch_id']}, {'columns': ['user_id']}],
) }}

with touched as (
    {{ touched(ref('stg_user_events'), ['workspace_id', 'entity', 'entity_id']) }}
),

events as (
    select e.*
    from {{ ref('stg_user_events') }} as e
    inner join touched
        on touched.workspace_id = e.workspace_id and touched.entity = e.entity and touched.entity_id = e.entity_id
    where e.batch_id <= {{ upto() }}
),

decided as (
    {{ decide('events', ['workspace_id', 'entity', 'entity_id']) }}
)

select distinct on (workspace_id, entity, entity_id)
    workspace_id,
    entity,
    entity_id,
    version,
    operation = 'deleted' as is_deleted,
    case entity when 'user' then entity_id when 'membership' then (state -> 'membership' ->> 'user_id')::uuid end as user_id,
    state,
    recorded_at,
    last_batch_id as batch_id
from decided
where decision = 'accepted'
order by workspace_id, entity, entity_id, version desc
