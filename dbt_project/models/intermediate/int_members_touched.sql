{{ config(materialized='view') }}

-- Every person that a profile or a membership was ever of, when an event has changed it: a membership may have passed to another.
select
    batch_id,
    case entity when 'user' then entity_id else (state -> 'membership' ->> 'user_id')::uuid end as user_id
from {{ ref('int_entity_versions') }}
where entity in ('user', 'membership')
