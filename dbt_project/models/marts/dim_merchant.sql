{{ config(topics=['transaction'], touched='int_merchants_named', replace_by=['workspace_id', 'merchant']) }}

with touched as (
    {{ merchants_touched() }}
)

select touched.workspace_id, touched.merchant, first_seen.occurred_on as first_seen_on, last_seen.occurred_on as last_seen_on
from touched
-- Two look-ups in the index by (workspace_id, merchant, occurred_on), however many purchases there are.
cross join lateral (
    select t.occurred_on from {{ ref('int_transactions_current') }} as t
    where t.workspace_id = touched.workspace_id and t.merchant = touched.merchant and not t.is_voided
    order by t.occurred_on limit 1
) as first_seen
cross join lateral (
    select t.occurred_on from {{ ref('int_transactions_current') }} as t
    where t.workspace_id = touched.workspace_id and t.merchant = touched.merchant and not t.is_voided
    order by t.occurred_on desc limit 1
) as last_seen
