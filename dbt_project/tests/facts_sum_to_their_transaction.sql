{{ config(meta={'dagster': {'ref': {'name': 'fct_transactions'}}}) }}

-- A current transaction is in the facts with all its lines, under its one date; a voided one is not.
with current_transactions as (
    select * from {{ ref('int_transactions_current') }}
    where {{ tested_batches('fct_transactions') }}
),

dates as (
    select distinct d.workspace_id, d.transaction_id, d.occurred_on
    from {{ ref('int_transaction_dates') }} as d
    where {{ tested_batches('fct_transactions', 'd.batch_id') }}
),

facts as (
    select f.workspace_id, f.transaction_id, sum(f.amount) as amount, bool_and(f.version = c.version and f.occurred_on = c.occurred_on) as agrees
    from dates
    inner join {{ ref('fct_transactions') }} as f
        on f.workspace_id = dates.workspace_id and f.transaction_id = dates.transaction_id
        and f.occurred_on = dates.occurred_on
    inner join current_transactions as c on c.workspace_id = f.workspace_id and c.transaction_id = f.transaction_id
    group by f.workspace_id, f.transaction_id
)

select c.workspace_id, c.transaction_id, c.version, c.amount, facts.amount as facts_amount
from current_transactions as c
left join facts on facts.workspace_id = c.workspace_id and facts.transaction_id = c.transaction_id
where
    case when c.is_voided then facts.amount is not null
    else facts.amount is distinct from c.amount or not facts.agrees end
