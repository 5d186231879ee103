{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'dim_account'}}}) }}

-- An account that the workspace never opened: a feed may book on one before its own event arrives.
select distinct t.workspace_id, t.account_id
from {{ ref('int_transactions_current') }} as t
where
    {{ tested_batches('fct_transactions', 't.batch_id') }}
    and not exists (
        select from {{ ref('dim_account') }} as a
        where a.workspace_id = t.workspace_id and a.account_id = t.account_id
    )
