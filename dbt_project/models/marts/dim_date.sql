{{ config(topics=[]) }}

with days as (
    select day::date as date_on
    from generate_series('{{ var("first_day") }}'::timestamp, '{{ var("last_day") }}'::timestamp, interval '1 day') as day
)

select
    date_on,
    extract(year from date_on)::int as year,
    extract(quarter from date_on)::int as quarter,
    extract(month from date_on)::int as month,
    to_char(date_on, 'FMMonth') as month_name,
    date_trunc('month', date_on::timestamp)::date as month_starts_on,
    extract(isoyear from date_on)::int as iso_year,
    extract(week from date_on)::int as iso_week,
    date_trunc('week', date_on::timestamp)::date as week_starts_on,
    extract(doy from date_on)::int as day_of_year,
    extract(day from date_on)::int as day_of_month,
    extract(isodow from date_on)::int as day_of_week,
    to_char(date_on, 'FMDay') as day_name,
    extract(isodow from date_on) > 5 as is_weekend
from days
