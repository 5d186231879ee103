{{ config(materialized='view') }}

select batch_id, workspace_id, entity_id as account_id
from {{ ref('stg_user_events') }}
where entity = 'account'
