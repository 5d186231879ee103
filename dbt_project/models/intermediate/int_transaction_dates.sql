{{ config(materialized='view') }}

-- Every day a transaction was ever entered under, so that its facts can leave the month they stood in.
select touched.batch_id, touched.workspace_id, touched.transaction_id, events.occurred_on
from {{ ref('int_transactions_touched') }} as touched
inner join {{ ref('stg_transaction_events') }} as events
    on events.workspace_id = touched.workspace_id and events.transaction_id = touched.transaction_id
