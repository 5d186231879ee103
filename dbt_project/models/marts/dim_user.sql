{{ config(
    topics=['user'], touched='int_members_touched', replace_by=['user_id'], indexes=[{'columns': ['user_id']}]
) }}

with touched as (
    {{ touched(ref('int_members_touched'), ['user_id']) }}
),

entities as (
    select e.*
    from {{ ref('int_entities_current') }} as e
    inner join touched on touched.user_id = e.user_id
),

profiles as (
    select distinct on (user_id) * from entities
    where entity = 'user'
    order by user_id, version desc
),

-- Who left and was invited again is one member, by the newest membership.
memberships as (
    select distinct on (workspace_id, user_id) * from entities
    where entity = 'membership'
    order by workspace_id, user_id, recorded_at desc, entity_id
)

select
    m.workspace_id,
    m.user_id,
    m.entity_id as membership_id,
    coalesce(m.state -> 'membership' ->> 'role', 'unknown') as role,
    profiles.state -> 'user' ->> 'name' as name,
    profiles.state -> 'user' ->> 'email' as email,
    profiles.state -> 'user' ->> 'locale' as locale,
    profiles.state -> 'user' ->> 'time_zone' as time_zone,
    not m.is_deleted and not coalesce(profiles.is_deleted, false) as is_member
from memberships as m
left join profiles using (user_id)
