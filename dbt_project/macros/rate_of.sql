{# The rate of `currency` against the euro that is in use on `day`: that of the day, or the last of the week before. #}
{% macro rate_of(currency, day) -%}
    select r.per_eur, r.rate_on
    from {{ ref('fx_rates') }} as r
    where r.currency = {{ currency }} and r.rate_on between {{ day }} - {{ var('oldest_rate') }} and {{ day }}
    order by r.rate_on desc
    limit 1
{%- endmacro %}
