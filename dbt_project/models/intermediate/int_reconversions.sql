{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['user', 'fx_rates'],
    indexes=[{'columns': ['batch_id']}],
) }}

-- A file of rates brings a day's thirty currencies together: its transactions are looked up once.
with days as (
    select batch_id, rate_on, array_agg(currency) as currencies
    from {{ ref('fx_rates') }}
    where {{ in_new_batches() }}
    group by batch_id, rate_on
)

-- Their workspace has another currency now.
select w.currency_batch_id as batch_id, t.workspace_id, t.transaction_id
from {{ ref('int_workspaces') }} as w
inner join {{ ref('int_transactions_current') }} as t on t.workspace_id = w.workspace_id
where {{ in_new_batches('w.currency_batch_id') }} and {{ since() }} > 0 and t.batch_id <= {{ since() }}
union
-- A rate has come, or was corrected, that is in use on their day.
select days.batch_id, t.workspace_id, t.transaction_id
from days
cross join generate_series(0, {{ var('oldest_rate') }}) as later (days)
inner join {{ ref('int_transactions_current') }} as t on t.occurred_on = days.rate_on + later.days
inner join {{ ref('int_workspaces') }} as w on w.workspace_id = t.workspace_id
where
    {{ since() }} > 0 and t.batch_id <= {{ since() }} and t.currency <> w.currency
    and (t.currency = any(days.currencies) or w.currency = any(days.currencies))
