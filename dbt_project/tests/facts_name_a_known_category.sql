{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'dim_category'}}}) }}

-- A category that neither the seeds nor the workspace has. The money counts all the same; the pages show it without a name.
select distinct cells.workspace_id, cells.category_id
from {{ ref('int_spending_cells') }} as cells
where
    {{ tested_batches('fct_transactions', 'cells.batch_id') }}
    and not exists (
        select from {{ ref('dim_category') }} as c
        where c.category_id = cells.category_id
            and c.workspace_id in (cells.workspace_id, '00000000-0000-0000-0000-000000000000')
    )
