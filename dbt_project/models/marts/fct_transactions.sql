{{ config(
    topics=['transaction'],
    touched='int_transaction_dates',
    replace_by=['workspace_id', 'transaction_id', 'occurred_on'],
    partition_by='occurred_on',
    indexes=[{'columns': ['workspace_id', 'occurred_on', 'category_id', 'account_id']}],
) }}

-- depends_on: {{ ref('int_transaction_dates') }}
with current_transactions as (
    select * from {{ ref('int_transactions_current') }}
    where {{ in_new_batches() }} and not is_voided
),

lines as (
    select * from {{ ref('stg_transaction_lines') }}
)

select
    t.workspace_id,
    t.transaction_id,
    lines.line_no,
    lines.line_id,
    t.version,
    t.kind,
    t.status,
    t.occurred_on,
    t.posted_on,
    t.account_id,
    coalesce(lines.category_id, 'uncategorised') as category_id,
    t.merchant,
    t.mcc,
    lines.amount,
    lines.currency,
    t.amount as transaction_amount,
    lines.workspace_currency,
    lines.fx_rate,
    lines.fx_rate_on,
    lines.amount_converted,
    t.refund_of,
    t.transfer_pair,
    t.import_id,
    t.actor_id,
    t.event_source,
    t.external_id,
    t.event_id,
    t.recorded_at
from current_transactions as t
inner join lines
    on lines.workspace_id = t.workspace_id and lines.topic_id = t.topic_id
    and lines.log_partition = t.log_partition and lines.log_offset = t.log_offset
