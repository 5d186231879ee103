{{ config(
    topics=['fx_rates'], touched='stg_fx_rates', replace_by=['rate_on'],
    indexes=[{'columns': ['rate_on']}, {'columns': ['batch_id']}],
    post_hook={'sql': '{{ create_converted() }}', 'transaction': false},
) }}

with touched as (
    {{ touched(ref('stg_fx_rates'), ['rate_on']) }}
),

-- A rate that was corrected is in several batches: the newest counts.
newest as (
    select distinct on (r.currency, r.rate_on) r.rate_on, r.currency, r.per_eur, r.batch_id
    from {{ ref('stg_fx_rates') }} as r
    inner join touched using (rate_on)
    where r.batch_id <= {{ upto() }}
    order by r.currency, r.rate_on, r.batch_id desc
),

-- Known with the first rate of its day, and never corrected.
euro as (
    select r.rate_on, 'EUR' as currency, 1::numeric(24, 12) as per_eur, min(r.batch_id) as batch_id
    from {{ ref('stg_fx_rates') }} as r
    inner join touched using (rate_on)
    where r.batch_id <= {{ upto() }}
    group by r.rate_on
)

select rate_on, currency, per_eur, batch_id from newest
union all
select rate_on, currency, per_eur, batch_id from euro
