{{ config(materialized='view') }}

select batch_id, workspace_id
from {{ ref('int_entity_versions') }}
where entity = 'workspace'
