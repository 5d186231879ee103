{{ config(
    materialized='incremental',
    contract={'enforced': true},
    topics=['user'],
    touched='int_workspaces_touched',
    replace_by=['workspace_id'],
    indexes=[{'columns': ['currency_batch_id']}],
) }}

with touched as (
    {{ touched(ref('int_workspaces_touched'), ['workspace_id']) }}
),

events as (
    select e.*
    from {{ ref('stg_user_events') }} as e
    inner join touched using (workspace_id)
    where e.entity = 'workspace' and e.batch_id <= {{ upto() }}
),

decided as (
    {{ decide('events', ['workspace_id', 'entity', 'entity_id']) }}
),

-- A version without a currency, such as a deletion, leaves the one before.
versions as (
    select workspace_id, entity_id, version, batch_id, state -> 'workspace' ->> 'currency' as currency
    from decided
    where decision = 'accepted' and state -> 'workspace' ->> 'currency' is not null
),

changes as (
    select
        *,
        currency is distinct from lag(currency) over (partition by workspace_id order by version, entity_id) as is_change
    from versions
),

latest as (
    select distinct on (workspace_id)
        workspace_id,
        currency,
        max(batch_id) filter (where is_change) over (partition by workspace_id) as currency_batch_id
    from changes
    order by workspace_id, version desc, entity_id desc
)

select latest.workspace_id, latest.currency, currencies.minor_units, latest.currency_batch_id
from latest
left join {{ ref('currencies') }} as currencies using (currency)
