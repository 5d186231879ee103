{{ config(meta={'dagster': {'ref': {'name': 'fct_transactions'}}}) }}

-- depends_on: {{ ref('stg_transaction_events') }}
-- depends_on: {{ ref('int_transactions_touched') }}
-- A current transaction is in the facts with all its lines, under its one date; a voided one is not.
with current_transactions as (
    select * from {{ ref('int_transactions_current') }}
    where {{ tested_batches('fct_transactions') }}
),

{% if not is_everything_tested('fct_transactions') %}
-- Every day they were ever entered under. Asked for as a membership: that is estimated right, a join of the two columns is not.
dates as (
    select distinct e.workspace_id, e.transaction_id, e.occurred_on
    from {{ ref('stg_transaction_events') }} as e
    where (e.workspace_id, e.transaction_id) in (
        select t.workspace_id, t.transaction_id from {{ ref('int_transactions_touched') }} as t
        where {{ tested_batches('fct_transactions', 't.batch_id') }}
    )
),

{% endif %}
-- Made once, whatever the planner thinks: it takes a batch that is newer than the statistics for one row.
facts as materialized (
    select
        f.workspace_id,
        f.transaction_id,
        sum(f.amount) as amount,
        min(f.version) as version,
        min(f.occurred_on) as occurred_on,
        min(f.version) = max(f.version) and min(f.occurred_on) = max(f.occurred_on) as is_one
    from {{ ref('fct_transactions') }} as f
    {% if not is_everything_tested('fct_transactions') %}
    inner join dates
        on f.workspace_id = dates.workspace_id and f.transaction_id = dates.transaction_id
        and f.occurred_on = dates.occurred_on
    {% endif %}
    group by f.workspace_id, f.transaction_id
)

select c.workspace_id, c.transaction_id, c.version, c.amount, facts.amount as facts_amount
from current_transactions as c
left join facts on facts.workspace_id = c.workspace_id and facts.transaction_id = c.transaction_id
where
    case when c.is_voided then facts.transaction_id is not null
    else not facts.is_one or (facts.amount, facts.version, facts.occurred_on) is distinct from (c.amount, c.version, c.occurred_on) end
