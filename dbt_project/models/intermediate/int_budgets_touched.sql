{{ config(materialized='view') }}

-- A budget has changed, or what it counts: the spending itself, the tree below its category, or whose an account is.
select batch_id, workspace_id from {{ ref('int_transactions_touched') }}
union all
select batch_id, workspace_id from {{ ref('int_categories_touched') }}
union all
select batch_id, workspace_id
from {{ ref('int_entity_versions') }}
where entity in ('budget', 'account')
