{{ config(materialized='view') }}

-- The users whose membership or profile an event changed. A profile belongs to no workspace, a membership to one.
select batch_id, user_id
from {{ ref('int_entities_current') }}
where user_id is not null
