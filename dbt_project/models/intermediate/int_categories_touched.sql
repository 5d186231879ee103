{{ config(materialized='view') }}

-- The workspaces whose categories an event changed: a parent's change is a change of the paths below it.
select batch_id, workspace_id
from {{ ref('int_entities_current') }}
where entity = 'category'
