{{ config(
    topics=['user'], touched='int_categories_touched', replace_by=['workspace_id'], shared_rows=true
) }}

with recursive touched as (
    {{ touched(ref('int_categories_touched'), ['workspace_id']) }}
),

seeds as (
    select {{ shared_workspace() }} as workspace_id, category_id, parent_id, name, kind, position, false as is_archived
    from {{ ref('categories') }}
),

own_states as (
    select e.workspace_id, e.entity_id, e.is_deleted, e.state -> 'category' as category
    from {{ ref('int_entities_current') }} as e
    inner join touched on touched.workspace_id = e.workspace_id
    where e.entity = 'category' and e.workspace_id <> {{ shared_workspace() }}
),

-- A workspace's own category, or its change to a seed's: what it leaves open stays the seed's; an empty parent is none. One that
-- it deleted is out of use, and what was recorded in it keeps its name.
own as (
    select distinct on (own_states.workspace_id, category ->> 'category_id')
        own_states.workspace_id,
        category ->> 'category_id' as category_id,
        nullif(coalesce(category ->> 'parent_id', seeds.parent_id), '') as parent_id,
        coalesce(category ->> 'name', seeds.name, category ->> 'category_id') as name,
        seeds.kind,
        coalesce(seeds.position, 1000000) as position,
        own_states.is_deleted as is_archived
    from own_states
    left join seeds on seeds.category_id = category ->> 'category_id'
    where length(category ->> 'category_id') between 1 and 100 -- the longest that a line of a transaction may name
    order by own_states.workspace_id, category ->> 'category_id', own_states.entity_id
),

-- What a workspace made of a seed's category holds for the seeds below it: they are its own, too.
below as (
    select own.workspace_id, own.category_id
    from own
    inner join seeds using (category_id)
    union
    select below.workspace_id, seeds.category_id
    from below
    inner join seeds on seeds.parent_id = below.category_id
),

known as (
    select * from seeds
    union all
    select * from own
    union all
    select below.workspace_id, seeds.category_id, seeds.parent_id, seeds.name, seeds.kind, seeds.position, seeds.is_archived
    from below
    inner join seeds using (category_id)
    where not exists (
        select 1 -- Dagster's reader of columns takes no empty list
        from own
        where own.workspace_id = below.workspace_id and own.category_id = below.category_id
    )
),

-- From each category up to its root; a circle ends where it closes.
walk as (
    select
        workspace_id, category_id, parent_id as next_id, kind, is_archived, array[name] as names, array[category_id] as ids
    from known
    union all
    select
        walk.workspace_id, walk.category_id, parent.parent_id, coalesce(walk.kind, parent.kind),
        walk.is_archived or parent.is_archived, parent.name || walk.names, parent.category_id || walk.ids
    from walk
    cross join lateral (
        select * from known
        where known.category_id = walk.next_id and known.workspace_id in (walk.workspace_id, {{ shared_workspace() }})
        order by known.workspace_id = {{ shared_workspace() }} limit 1
    ) as parent
    where not parent.category_id = any(walk.ids)
),

rooted as (
    select distinct on (workspace_id, category_id) * from walk
    order by workspace_id, category_id, cardinality(ids) desc
)

select
    known.workspace_id,
    known.category_id,
    known.parent_id,
    known.name,
    coalesce(rooted.kind, 'spending') as kind,
    rooted.ids[1] as root_id,
    cardinality(rooted.ids) as level,
    array_to_string(rooted.names, ' › ') as path,
    known.position::int as position,
    rooted.is_archived
from known
inner join rooted using (workspace_id, category_id)
-- The shared rows are written when the table is made, and it is made anew when the seeds change.
where known.workspace_id <> {{ shared_workspace() }} or {{ since() }} = 0
