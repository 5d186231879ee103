{{ config(materialized='view', security_invoker=true) }}

-- A workspace's own change to a category hides the shared one.
select distinct on (category_id) category_id, parent_id, name, kind, root_id, level, path, position, is_archived
from {{ ref('dim_category') }}
order by category_id, workspace_id = {{ shared_workspace() }}
