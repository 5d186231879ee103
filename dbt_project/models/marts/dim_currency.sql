{{ config(topics=[]) }}

with currencies as (
    select * from {{ ref('currencies') }}
),

quoted as (
    select currency, min(rate_on) as first_rate_on, max(rate_on) as last_rate_on
    from {{ ref('fx_rates') }}
    group by currency
)

select
    currencies.currency,
    currencies.name,
    currencies.numeric_code,
    currencies.minor_units,
    quoted.first_rate_on,
    quoted.last_rate_on
from currencies
left join quoted using (currency)
