{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['transaction'],
    touched='int_transactions_seen',
    replace_by=['workspace_id', 'transaction_id'],
    indexes=[
        {'columns': ['batch_id']},
        {'columns': ['occurred_on']},
        {'columns': ['workspace_id', 'merchant', 'occurred_on']},
    ],
) }}

with touched as (
    {{ touched(ref('int_transactions_seen'), ['workspace_id', 'transaction_id']) }}
),

events as (
    select e.*
    from {{ ref('int_transactions_seen') }} as e
    inner join touched on touched.workspace_id = e.workspace_id and touched.transaction_id = e.transaction_id
    where e.batch_id <= {{ upto() }}
),

decided as (
    {{ decide('events', ['workspace_id', 'transaction_id']) }}
),

latest as (
    select distinct on (workspace_id, transaction_id)
        workspace_id, transaction_id, topic_id, log_partition, log_offset, last_batch_id
    from decided
    where decision = 'accepted' and is_valid
    order by workspace_id, transaction_id, version desc
)

select
    e.workspace_id, e.transaction_id, e.version, e.operation, e.operation = 'voided' as is_voided, latest.last_batch_id as batch_id,
    e.kind, e.status, e.account_id, e.occurred_on, e.posted_on, e.amount, e.currency, e.merchant, e.mcc,
    e.refund_of, e.transfer_pair, e.import_id, e.actor_id, e.event_source, e.external_id, e.event_id, e.recorded_at,
    e.topic_id, e.log_partition, e.log_offset
from latest
inner join {{ ref('stg_transaction_events') }} as e
    on e.workspace_id = latest.workspace_id and e.topic_id = latest.topic_id
    and e.log_partition = latest.log_partition and e.log_offset = latest.log_offset
