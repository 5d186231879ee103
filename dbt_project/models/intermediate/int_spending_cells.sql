{{ config(materialized='view') }}

-- Every cell of daily spending that a transaction ever stood in: those it left are counted again, too.
select
    touched.batch_id,
    touched.workspace_id,
    events.occurred_on,
    coalesce(lines.category_id, 'uncategorised') as category_id,
    events.account_id,
    lines.currency
from {{ ref('int_transactions_touched') }} as touched
inner join {{ ref('stg_transaction_events') }} as events
    on events.workspace_id = touched.workspace_id and events.transaction_id = touched.transaction_id
inner join {{ ref('stg_transaction_lines') }} as lines
    on lines.workspace_id = events.workspace_id and lines.topic_id = events.topic_id
    and lines.log_partition = events.log_partition and lines.log_offset = events.log_offset
where events.kind in ('expense', 'refund')
