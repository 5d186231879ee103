{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['transaction'],
    touched='stg_transaction_events',
    replace_by=['workspace_id', 'transaction_id'],
    indexes=[
        {'columns': ['batch_id']},
        {'columns': ['occurred_on']},
        {'columns': ['workspace_id', 'merchant', 'occurred_on']},
    ],
) }}

with touched as (
    {{ touched(ref('stg_transaction_events'), ['workspace_id', 'transaction_id']) }}
),

-- What was quarantined cannot be current, but was seen: a later event of its version is as stale here as it is in live.
-- What was released since is an event like the others, at its own place in the log.
events as (
    select
        e.workspace_id, e.transaction_id, e.topic_id, e.log_partition, e.log_offset, e.batch_id, e.event_id, e.version,
        true as is_valid
    from {{ ref('stg_transaction_events') }} as e
    {{ only_touched('e', ['workspace_id', 'transaction_id']) }}
    where e.batch_id <= {{ upto() }}
    union all
    select distinct
        q.workspace_id, q.entity_id, q.topic_id, q.log_partition, q.log_offset, q.batch_id, q.event_id, q.version, false
    from {{ ref('stg_quarantine') }} as q
    inner join touched on touched.workspace_id = q.workspace_id and touched.transaction_id = q.entity_id
    where
        q.topic = 'transaction' and q.batch_id <= {{ upto() }} and q.event_id is not null and q.version is not null
        and (q.released_in_batch is null or q.released_in_batch > {{ upto() }})
),

counted as materialized (
    select *, count(*) over (partition by workspace_id, transaction_id) as events_of_it
    from events
),

-- Most have one event, on which there is nothing to decide.
several as (
    select * from counted
    where events_of_it > 1
),

decided as (
    {{ decide('several', ['workspace_id', 'transaction_id']) }}
),

-- An event in quarantine changes no state by itself, so it is not what a transaction was changed by.
changed as (
    select
        *,
        max(batch_id) filter (where is_valid) over (partition by workspace_id, transaction_id) as changed_in_batch
    from decided
),

latest as (
    (
        select distinct on (workspace_id, transaction_id)
            workspace_id, transaction_id, topic_id, log_partition, log_offset, changed_in_batch
        from changed
        where decision = 'accepted' and is_valid
        order by workspace_id, transaction_id, version desc
    )
    union all
    select workspace_id, transaction_id, topic_id, log_partition, log_offset, batch_id
    from counted
    where events_of_it = 1 and is_valid
)

select
    e.workspace_id, e.transaction_id, e.version, e.operation, e.operation = 'voided' as is_voided, latest.changed_in_batch as batch_id,
    e.kind, e.status, e.account_id, e.occurred_on, e.posted_on, e.amount, e.currency, e.merchant, e.mcc,
    e.refund_of, e.transfer_pair, e.import_id, e.actor_id, e.event_source, e.external_id, e.event_id, e.recorded_at,
    e.topic_id, e.log_partition, e.log_offset
from latest
inner join {{ ref('stg_transaction_events') }} as e
    on e.workspace_id = latest.workspace_id and e.topic_id = latest.topic_id
    and e.log_partition = latest.log_partition and e.log_offset = latest.log_offset
