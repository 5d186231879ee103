{{ config(materialized='view') }}

select batch_id, workspace_id
from {{ ref('stg_user_events') }}
where entity = 'workspace'
