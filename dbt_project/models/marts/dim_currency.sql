{{ config(topics=['fx_rates'], touched='fx_rates', replace_by=['currency']) }}

with touched as (
    {{ touched(ref('fx_rates'), ['currency']) }}
),

-- Two look-ups in the key for each currency, however many rates it has.
quoted as (
    select touched.currency, first.rate_on as first_rate_on, last.rate_on as last_rate_on
    from touched
    cross join lateral (
        select r.rate_on from {{ ref('fx_rates') }} as r
        where r.currency = touched.currency
        order by r.rate_on limit 1
    ) as first
    cross join lateral (
        select r.rate_on from {{ ref('fx_rates') }} as r
        where r.currency = touched.currency
        order by r.rate_on desc limit 1
    ) as last
)

select
    currencies.currency,
    currencies.name,
    currencies.numeric_code,
    currencies.minor_units,
    quoted.first_rate_on,
    quoted.last_rate_on
from {{ ref('currencies') }} as currencies
left join quoted using (currency)
-- Those without a rate are written when the table is made, and it is made anew when the seed changes.
where {{ since() }} = 0 or quoted.currency is not null
