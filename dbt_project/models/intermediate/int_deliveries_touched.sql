{{ config(materialized='view') }}

select batch_id, workspace_id, entity as subject, entity_id as subject_id
from {{ ref('int_entity_versions') }}
where entity in ('report', 'reminder')
