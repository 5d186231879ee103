{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'dim_category'}}}) }}

-- depends_on: {{ ref('int_spending_cells') }}
-- depends_on: {{ ref('fct_daily_spend') }}
{% set everything = is_everything_tested('fct_transactions') %}
-- A category that neither the seeds nor the workspace has. The money counts all the same; the pages show it without a name.
select distinct cells.workspace_id, cells.category_id
from {{ ref('fct_daily_spend') if everything else ref('int_spending_cells') }} as cells
where
    {% if not everything %}{{ tested_batches('fct_transactions', 'cells.batch_id') }} and {% endif %}
    not exists (
        select from {{ ref('dim_category') }} as c
        where c.category_id = cells.category_id
            and c.workspace_id in (cells.workspace_id, {{ shared_workspace() }})
    )
