{{ config(materialized='view') }}

select batch_id, workspace_id, entity_id as account_id
from {{ ref('int_entity_versions') }}
where entity = 'account'
