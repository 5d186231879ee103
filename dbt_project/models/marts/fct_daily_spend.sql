{{ config(
    topics=['transaction', 'user', 'fx_rates'],
    touched='int_spending_cells',
    replace_by=['workspace_id', 'occurred_on', 'category_id', 'account_id', 'currency'],
) }}

with touched as (
    {{ touched(
        ref('int_spending_cells'), ['workspace_id', 'occurred_on', 'category_id', 'account_id', 'currency']
    ) }}
),

spending as (
    select * from {{ ref('fct_transactions') }}
    where kind in ('expense', 'refund')
)

select
    s.workspace_id,
    s.occurred_on,
    s.category_id,
    s.account_id,
    s.currency,
    count(distinct s.transaction_id)::int as transactions,
    sum(s.amount)::numeric(24, 4) as amount,
    max(s.workspace_currency) as workspace_currency,
    coalesce(sum(s.amount_converted), 0)::numeric(24, 4) as amount_converted,
    coalesce(sum(s.amount) filter (where s.amount_converted is null), 0)::numeric(24, 4) as amount_not_converted
from spending as s
{{ only_touched('s', ['workspace_id', 'occurred_on', 'category_id', 'account_id', 'currency']) }}
group by s.workspace_id, s.occurred_on, s.category_id, s.account_id, s.currency
