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

-- A version without a currency, such as a deletion, leaves the one before.
versions as (
    select v.workspace_id, v.entity_id, v.version, v.told_in_batch, v.state -> 'workspace' ->> 'currency' as currency
    from {{ ref('int_entity_versions') }} as v
    inner join touched using (workspace_id)
    where v.entity = 'workspace' and v.state -> 'workspace' ->> 'currency' is not null
),

changes as (
    select
        *,
        (currency is distinct from lag(currency) over (partition by workspace_id order by version, entity_id)) as is_change
    from versions
),

latest as (
    select distinct on (workspace_id)
        workspace_id,
        currency,
        max(told_in_batch) filter (where is_change) over (partition by workspace_id) as currency_batch_id
    from changes
    order by workspace_id, version desc, entity_id desc
)

select latest.workspace_id, latest.currency, currencies.minor_units, latest.currency_batch_id
from latest
left join {{ ref('currencies') }} as currencies using (currency)
