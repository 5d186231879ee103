{{ config(materialized='view') }}

-- Every merchant that a transaction was ever of.
select current.batch_id, current.workspace_id, events.merchant
from {{ ref('int_transactions_current') }} as current
inner join {{ ref('stg_transaction_events') }} as events
    on events.workspace_id = current.workspace_id and events.transaction_id = current.transaction_id
where events.merchant is not null
