{# The rate of `currency` against the euro that is in use on `day`: that of the day, or the last of the week before. `rates` is the table
   of them where the model that makes it asks, which cannot refer to itself. #}
{% macro rate_of(currency, day, rates=none) -%}
    select r.per_eur, r.rate_on
    from {{ rates or ref('fx_rates') }} as r
    where r.currency = {{ currency }} and r.rate_on between {{ day }} - {{ var('oldest_rate') }} and {{ day }}
    order by r.rate_on desc
    limit 1
{%- endmacro %}
