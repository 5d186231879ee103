{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['user'],
    touched='int_entity_versions',
    replace_by=['workspace_id', 'entity', 'entity_id'],
    indexes=[{'columns': ['batch_id']}, {'columns': ['user_id']}],
) }}

with touched as (
    {{ touched(ref('int_entity_versions'), ['workspace_id', 'entity', 'entity_id']) }}
    and entity not in ('report', 'reminder') -- of which deliveries are told, step by step
)

select distinct on (v.workspace_id, v.entity, v.entity_id)
    v.workspace_id,
    v.entity,
    v.entity_id,
    v.version,
    v.is_deleted,
    case v.entity when 'user' then v.entity_id when 'membership' then (v.state -> 'membership' ->> 'user_id')::uuid end as user_id,
    v.state,
    v.recorded_at,
    v.batch_id
from {{ ref('int_entity_versions') }} as v
inner join touched
    on touched.workspace_id = v.workspace_id and touched.entity = v.entity and touched.entity_id = v.entity_id
order by v.workspace_id, v.entity, v.entity_id, v.version desc
