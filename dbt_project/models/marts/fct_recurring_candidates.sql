{{ config(
    topics=['transaction'],
    touched='int_merchants_named',
    replace_by=['workspace_id', 'merchant'],
    pre_hook='set local enable_hashagg = off',
) }}

with touched as (
    {{ merchants_touched() }}
),

-- The days between two payments by which a rhythm is known, and the step to the next. Weekends and short months move payments.
rhythms (cadence, least_days, most_days, step, months_in_step, lapses_after) as (
    values
    ('weekly', 6, 8, interval '7 days', 12 / 52.0, interval '10 days'),
    ('biweekly', 12, 16, interval '14 days', 12 / 26.0, interval '21 days'),
    ('monthly', 26, 35, interval '1 month', 1, interval '45 days'),
    ('quarterly', 84, 98, interval '3 months', 3, interval '135 days'),
    ('half-yearly', 174, 192, interval '6 months', 6, interval '270 days'),
    ('yearly', 355, 375, interval '1 year', 12, interval '450 days')
),

-- Looked up in the index by (workspace_id, merchant, occurred_on), newest first: a hundred, however many there are.
payments as (
    select touched.workspace_id, touched.merchant, newest.*
    from touched
    cross join lateral (
        select t.kind, t.currency, t.occurred_on, t.amount, t.transaction_id
        from {{ ref('int_transactions_current') }} as t
        where
            t.workspace_id = touched.workspace_id and t.merchant = touched.merchant
            and not t.is_voided and t.kind <> 'refund'
        order by t.occurred_on desc, t.transaction_id desc
        limit 100
    ) as newest
),

-- All payments of one kind to a merchant are a series, and so are those of one amount, where there are enough. From here on
-- all follows the order of the index, merchant by merchant: nothing is sorted but the payments of one. It does so as long as nothing
-- is hashed, which the planner would take for cheaper.
counted as (
    select *, count(*) over (partition by workspace_id, merchant, kind, currency, amount) as of_this_amount
    from payments
),

series as (
    select
        counted.workspace_id, counted.merchant, counted.kind, counted.currency, of_all.steady_amount, counted.occurred_on,
        counted.amount, counted.transaction_id
    from counted
    cross join lateral (
        select amounts.steady_amount
        from (values (null::numeric), (counted.amount)) as amounts (steady_amount)
        where amounts.steady_amount is null or counted.of_this_amount >= 3
    ) as of_all
),

days as (
    select
        workspace_id,
        merchant,
        kind,
        currency,
        steady_amount,
        occurred_on,
        coalesce(steady_amount, sum(amount)) as amount,
        max(transaction_id::text)::uuid as transaction_id,
        occurred_on - lag(occurred_on) over (
            partition by workspace_id, merchant, kind, currency, steady_amount order by occurred_on
        ) as days_between
    from series
    group by workspace_id, merchant, kind, currency, steady_amount, occurred_on
),

measured as (
    select
        workspace_id,
        merchant,
        kind,
        currency,
        steady_amount,
        count(*) as payments,
        min(occurred_on) as first_on,
        max(occurred_on) as last_on,
        (array_agg(transaction_id order by occurred_on))[count(*)] as last_transaction_id,
        (array_agg(amount order by occurred_on))[count(*)] as last_amount,
        array_agg(days_between) filter (where days_between is not null) as gaps,
        percentile_disc(0.5) within group (order by days_between) as usual_days,
        percentile_disc(0.5) within group (order by amount) as usual_amount,
        array_agg(amount) as amounts
    from days
    group by workspace_id, merchant, kind, currency, steady_amount
    having count(*) >= 3
),

-- Four of five steps are of the rhythm, and half of the amounts within a quarter of the usual one.
regular as (
    select measured.*, rhythms.*
    from measured
    inner join rhythms on measured.usual_days between rhythms.least_days and rhythms.most_days
    where
        5 * (
            select count(*) from unnest(measured.gaps) as gaps (gap)
            where gaps.gap between rhythms.least_days and rhythms.most_days
        ) >= 4 * cardinality(measured.gaps)
        and 2 * (
            select count(*) from unnest(measured.amounts) as amounts (amount)
            where 4 * abs(amounts.amount - measured.usual_amount) <= abs(measured.usual_amount)
        ) >= cardinality(measured.amounts)
),

-- Where all payments together are regular, those of one amount are a part of them.
widest as (
    select *, bool_or(steady_amount is null) over (partition by workspace_id, merchant, kind, currency) as is_whole
    from regular
)

select
    workspace_id,
    merchant,
    kind,
    currency,
    usual_amount::numeric(18, 4) as usual_amount,
    case when steady_amount is null then 'merchant' else 'amount' end as found_by,
    cadence,
    payments::int as payments,
    first_on,
    last_on,
    last_amount::numeric(18, 4) as last_amount,
    last_transaction_id,
    (last_on + step)::date as expected_on,
    (last_on + lapses_after)::date as lapses_on,
    round(usual_amount / months_in_step, 4)::numeric(18, 4) as amount_a_month
from widest
where steady_amount is null or not is_whole
