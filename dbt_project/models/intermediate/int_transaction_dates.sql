{{ config(materialized='view') }}

-- Every day a transaction was ever entered under, so that its facts can leave the month they stood in.
select current.batch_id, current.workspace_id, current.transaction_id, events.occurred_on
from {{ ref('int_transactions_current') }} as current
inner join {{ ref('stg_transaction_events') }} as events
    on events.workspace_id = current.workspace_id and events.transaction_id = current.transaction_id
