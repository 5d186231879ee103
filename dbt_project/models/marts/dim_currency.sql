{{ config(topics=['fx_rates'], touched='fx_rates', replace_by=['currency']) }}

with touched as (
    {{ touched(ref('fx_rates'), ['currency']) }}
),

quoted as (
    select currency, min(r.rate_on) as first_rate_on, max(r.rate_on) as last_rate_on
    from {{ ref('fx_rates') }} as r
    inner join touched using (currency)
    group by currency
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
