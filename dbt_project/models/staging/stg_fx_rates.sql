select batch_id, rate_on, currency, per_eur from {{ source('silver', 'fx_rates') }}
