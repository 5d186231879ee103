{{ config(
    topics=['transaction', 'user', 'fx_rates'], touched='int_budgets_touched', replace_by=['workspace_id']
) }}

with recursive touched as (
    {{ touched(ref('int_budgets_touched'), ['workspace_id']) }}
),

told as (
    select
        v.workspace_id,
        v.entity_id as budget_id,
        v.version,
        v.is_deleted,
        v.state -> 'budget' as budget,
        case when v.is_deleted then (v.occurred_at at time zone 'UTC')::date + 1 else (v.state -> 'budget' ->> 'starts_on')::date end
            as begins_on
    from touched
    inner join {{ ref('int_entity_versions') }} as v on v.workspace_id = touched.workspace_id
    where v.entity = 'budget'
),

-- A version holds from its first day on, whatever versions before it said of later days; a deletion from the day after it.
terms as (
    select
        *,
        min(begins_on) over (
            partition by workspace_id, budget_id order by version rows between 1 following and unbounded following
        ) as until
    from told
),

-- Days beyond those of dim_date are typing errors, and would be thousands of periods.

budgets as (
    select
        workspace_id,
        budget_id,
        version,
        begins_on,
        until,
        budget ->> 'name' as name,
        budget ->> 'category_id' as category_id,
        (budget ->> 'member_id')::uuid as member_id,
        budget ->> 'period' as period,
        budget ->> 'currency' as currency,
        (budget ->> 'amount')::numeric(18, 4) as amount,
        (budget ->> 'rollover')::boolean as is_rolled_over
    from terms
    where not is_deleted and begins_on < coalesce(until, 'infinity')
        and begins_on between '{{ var("first_day") }}' and '{{ var("last_day") }}'
        and budget ->> 'period' in ('monthly', 'payday', 'biweekly', 'custom')
),

-- The tree as each workspace sees it: its own change to a seed's category in the seed's place.
tree as (
    select distinct on (w.workspace_id, c.category_id) w.workspace_id, c.category_id, c.parent_id
    from (select distinct workspace_id from budgets) as w
    inner join {{ ref('dim_category') }} as c on c.workspace_id in (w.workspace_id, {{ shared_workspace() }})
    order by w.workspace_id, c.category_id, c.workspace_id = {{ shared_workspace() }}
),

descended as (
    select workspace_id, category_id as of_category_id, category_id
    from budgets
    where category_id is not null
    union
    select tree.workspace_id, descended.of_category_id, tree.category_id
    from descended
    inner join tree on tree.workspace_id = descended.workspace_id and tree.parent_id = descended.category_id
),

categories as (
    select workspace_id, of_category_id, array_agg(category_id) as category_ids
    from descended
    group by workspace_id, of_category_id
),

-- A deletion need not say whose the account was: the version before it does.
owned as (
    select distinct on (v.workspace_id, v.entity_id)
        v.workspace_id,
        v.entity_id as account_id,
        (v.state -> 'account' ->> 'owner_id')::uuid as owner_id
    from touched
    inner join {{ ref('int_entity_versions') }} as v on v.workspace_id = touched.workspace_id
    where v.entity = 'account' and v.state ->> 'account' is not null
    order by v.workspace_id, v.entity_id, v.version desc
),

accounts as (
    select workspace_id, owner_id, array_agg(account_id) as account_ids
    from owned
    where owner_id is not null
    group by workspace_id, owner_id
),

-- Up to the newest day of spending, so that a build tomorrow makes the same rows of the same log.
begun as (
    select
        b.*,
        newest.occurred_on as newest_on,
        numbered.n,
        numbered.n = 0 and row_number() over (
            partition by b.workspace_id, b.budget_id order by b.begins_on, numbered.n
        ) = 1 as is_first,
        {{ period_start('b.period', 'b.begins_on', 'numbered.n') }} as starts_on
    from budgets as b
    left join lateral (
        select least(s.occurred_on, '{{ var("last_day") }}') as occurred_on
        from {{ ref('fct_daily_spend') }} as s
        where s.workspace_id = b.workspace_id
        order by s.occurred_on desc
        limit 1
    ) as newest on true
    cross join lateral generate_series(
        0, greatest({{ periods_begun('b.period', 'b.begins_on', 'least(newest.occurred_on, b.until)') }}, 0)
    ) as numbered (n)
),

periods as (
    select *, least({{ period_start('period', 'begins_on', '(n + 1)') }}, until) - 1 as ends_on
    from begun
    where is_first or (starts_on <= newest_on and starts_on < coalesce(until, 'infinity'))
),

counted as (
    select p.*, coalesce(spending.amount, 0) as spent, spending.cells_not_converted
    from periods as p
    left join categories on categories.workspace_id = p.workspace_id and categories.of_category_id = p.category_id
    left join accounts on accounts.workspace_id = p.workspace_id and accounts.owner_id = p.member_id
    cross join lateral (
        select
            sum(
                case when s.currency = p.currency then s.amount when s.workspace_currency = p.currency then s.amount_converted end
            ) as amount,
            count(*) filter (
                where s.currency <> p.currency
                and (s.workspace_currency is distinct from p.currency or s.amount_not_converted <> 0)
            ) as cells_not_converted
        from {{ ref('fct_daily_spend') }} as s
        where
            s.workspace_id = p.workspace_id
            and s.occurred_on between p.starts_on and coalesce(p.ends_on, 'infinity')
            and (p.category_id is null or s.category_id = any(categories.category_ids))
            and (p.member_id is null or s.account_id = any(accounts.account_ids))
    ) as spending
),

linked as (
    select
        *,
        coalesce(
            lag(is_rolled_over) over budget and lag(ends_on) over budget = starts_on - 1 and lag(currency) over budget = currency,
            false
        ) as is_carried
    from counted
    window budget as (partition by workspace_id, budget_id order by starts_on)
),

chains as (
    select
        *,
        count(*) filter (where not is_carried) over (partition by workspace_id, budget_id order by starts_on) as chain
    from linked
),

carried as (
    select
        *,
        coalesce(
            sum(amount - spent) over (
                partition by workspace_id, budget_id, chain order by starts_on
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as carried_in
    from chains
)

select
    workspace_id,
    budget_id,
    starts_on,
    ends_on,
    version,
    name,
    category_id,
    member_id,
    period,
    currency,
    amount,
    carried_in::numeric(24, 4) as carried_in,
    spent::numeric(24, 4) as spent,
    (amount + carried_in - spent)::numeric(24, 4) as remaining,
    cells_not_converted::int as cells_not_converted
from carried
