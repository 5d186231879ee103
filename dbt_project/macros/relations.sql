{# What models select from. `--empty` and `--sample` put a subquery in a relation's place; dbt would give it an alias of its own,
   behind which none of the model's can stand. PostgreSQL needs none. #}
{% macro ref() -%}
    {{ return(builtins.ref(*varargs, **kwargs).incorporate(require_alias=false)) }}
{%- endmacro %}

{% macro source() -%}
    {{ return(builtins.source(*varargs, **kwargs).incorporate(require_alias=false)) }}
{%- endmacro %}
