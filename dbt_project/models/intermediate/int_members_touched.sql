{{ config(materialized='view') }}

-- Every person that a profile or a membership was ever of, when an event has changed it: a membership may have passed to another.
select
    current.batch_id,
    case events.entity when 'user' then events.entity_id else (events.state -> 'membership' ->> 'user_id')::uuid end as user_id
from {{ ref('int_entities_current') }} as current
inner join {{ ref('stg_user_events') }} as events
    on events.workspace_id = current.workspace_id and events.entity = current.entity and events.entity_id = current.entity_id
where current.entity in ('user', 'membership')
