{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['user', 'fx_rates'],
    indexes=[{'columns': ['batch_id']}],
) }}

-- Their workspace has another currency now.
select w.currency_batch_id as batch_id, t.workspace_id, t.transaction_id
from {{ ref('int_workspaces') }} as w
inner join {{ ref('int_transactions_current') }} as t on t.workspace_id = w.workspace_id
where {{ in_new_batches('w.currency_batch_id') }} and {{ since() }} > 0 and t.batch_id <= {{ since() }}
union
-- A rate has come, or was corrected, that is in use on their day.
select r.batch_id, t.workspace_id, t.transaction_id
from {{ ref('fx_rates') }} as r
cross join generate_series(0, {{ var('oldest_rate') }}) as later(days)
inner join {{ ref('int_transactions_current') }} as t on t.occurred_on = r.rate_on + later.days
inner join {{ ref('int_workspaces') }} as w on w.workspace_id = t.workspace_id
where
    {{ in_new_batches('r.batch_id') }} and {{ since() }} > 0 and t.batch_id <= {{ since() }}
    and t.currency <> w.currency and r.currency in (t.currency, w.currency)
