{{ config(topics=[], indexes=[{'columns': ['rate_on']}]) }}

with wide as (
    select * from {{ ref('ecb_reference_rates') }}
),

quoted as (
    select wide.rate_on, upper(rate.key) as currency, rate.value::numeric(24, 12) as per_eur
    from wide
    cross join lateral jsonb_each_text(to_jsonb(wide) - 'rate_on') as rate
    where rate.value is not null
),

euro as (
    select rate_on, 'EUR' as currency, 1::numeric(24, 12) as per_eur from wide
)

select rate_on, currency, per_eur from quoted
union all
select rate_on, currency, per_eur from euro
