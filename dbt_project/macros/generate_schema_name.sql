{# A custom schema is the schema's whole name: staging, not gold_staging. A developer's target has one schema for all. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema if is_development() else custom_schema_name or target.schema }}
{%- endmacro %}
