{{ config(topics=['user'], touched='int_accounts_touched', replace_by=['workspace_id', 'account_id']) }}

with touched as (
    {{ touched(ref('int_accounts_touched'), ['workspace_id', 'account_id']) }}
),

versions as (
    select
        v.*,
        -- The first version holds for all that was before it: history is imported into accounts made later. A later version never
        -- begins before an earlier one, whatever its writer's clock said.
        case
            when row_number() over account = 1 then timestamptz '1900-01-01 00:00:00+00'
            else greatest(max(v.occurred_at) over account, timestamptz '1900-01-01 00:00:00+00')
        end as valid_from,
        lead(v.version) over account is null as is_current
    from {{ ref('int_entity_versions') }} as v
    inner join touched on touched.workspace_id = v.workspace_id and touched.account_id = v.entity_id
    where v.entity = 'account'
    window account as (partition by v.workspace_id, v.entity_id order by v.version)
)

select
    workspace_id,
    entity_id as account_id,
    version,
    state -> 'account' ->> 'name' as name,
    coalesce(state -> 'account' ->> 'type', 'unknown') as type,
    state -> 'account' ->> 'currency' as currency,
    state -> 'account' ->> 'institution' as institution,
    (state -> 'account' ->> 'owner_id')::uuid as owner_id,
    is_deleted,
    valid_from,
    lead(valid_from) over (partition by workspace_id, entity_id order by version) as valid_to,
    is_current
from versions
