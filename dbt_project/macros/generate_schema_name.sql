{# A custom schema is the schema's whole name: staging, not gold_staging. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
