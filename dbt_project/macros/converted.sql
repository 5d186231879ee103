{# Units of the currency `bought` for one of `paid`, each given as its rate against the euro. Null beyond what a rate of this world
   comes to. #}
{% macro cross_rate(paid, bought) -%}
    case when {{ bought }} / {{ paid }} < 1e12 then nullif(round({{ bought }} / {{ paid }}, 12), 0) end
{%- endmacro %}

{# `exact`, an amount of any size and precision, as the warehouse keeps it; null where it is larger than an amount can be. #}
{% macro storable(exact, minor_units) -%}
    case when abs({{ exact }}) < 1e14 - 1 then {{ half_even(exact, minor_units) }} end
{%- endmacro %}

{# reference.converted, by which a page converts what fct_transactions does not hold yet, and as it will: from the same macros. A hook of fx_rates. #}
{% macro create_converted() %}
{% if not is_development() -%}
do $do$ begin
    -- Not without the lock: two that replace one function at once fail.
    perform pg_advisory_xact_lock(hashtextextended('outlay.reference.converted', 0));
    create or replace function reference.converted(amount numeric, paid_in text, bought_in text, minor_units int, on_day date)
    returns numeric(18, 4) language sql stable parallel safe as $body$
        select case
            when paid_in = bought_in then amount
            else {{ storable('exact', 'minor_units') }}
        end
        from (
            select amount * (
                select {{ cross_rate('paid.per_eur', 'bought.per_eur') }}
                from ({{ rate_of('paid_in', 'on_day', this) }}) as paid
                cross join ({{ rate_of('bought_in', 'on_day', this) }}) as bought
            ) as exact
        ) as unrounded
    $body$;
end $do$
{%- endif %}
{% endmacro %}
