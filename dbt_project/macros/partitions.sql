{# Monthly range partitions of `relation` for the months that `rows` holds, and a default one for days outside of dim_date.

   Partitions are storage: nothing but their parent is queried or granted. #}
{% macro create_partitions(relation, rows, column) %}
    {% do run_query("create table if not exists " ~ partition_of(relation, "default") ~ " partition of " ~ relation ~ " default") %}
    {% set months %}
        select to_char(month, 'YYYY_MM') as name, month::date::text as starts, (month + interval '1 month')::date::text as ends
        from (
            select distinct date_trunc('month', {{ column }}::timestamp) as month from {{ rows }}
            where {{ column }} between '{{ var("first_day") }}' and '{{ var("last_day") }}'
        ) as months
        where to_regclass('{{ relation.schema }}.{{ relation.identifier }}_' || to_char(month, 'YYYY_MM')) is null
        order by month
    {% endset %}
    {% for month in run_query(months) %}
        {% do run_query(
            "create table " ~ partition_of(relation, month['name']) ~ " partition of " ~ relation
            ~ " for values from ('" ~ month['starts'] ~ "') to ('" ~ month['ends'] ~ "')"
        ) %}
    {% endfor %}
{% endmacro %}

{% macro partition_of(relation, name) -%}
    {{ return(relation.incorporate(path={'identifier': relation.identifier ~ '_' ~ name})) }}
{%- endmacro %}
