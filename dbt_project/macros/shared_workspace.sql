{# The workspace that owns what all share, and to which events without a workspace belong: the nil UUID. #}
{% macro shared_workspace() -%}
    '00000000-0000-0000-0000-000000000000'::uuid
{%- endmacro %}
