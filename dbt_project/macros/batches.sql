{# The batches that a run of a model applies: above `since`, not above `upto`.

   The materialisation sets both for its transaction. Elsewhere (`dbt compile`, `dbt show`, unit tests) they are everything. #}
{% macro since() -%}
    coalesce(nullif(current_setting('outlay.since', true), ''), '0')::bigint
{%- endmacro %}

{% macro upto() -%}
    coalesce(nullif(current_setting('outlay.upto', true), ''), '9223372036854775807')::bigint
{%- endmacro %}

{% macro in_new_batches(column='batch_id') -%}
    {{ column }} > {{ since() }} and {{ column }} <= {{ upto() }}
{%- endmacro %}

{# Keys that the new batches touch: distinct `columns` of `relation`, which has a batch_id. #}
{% macro touched(relation, columns) -%}
    select distinct {{ columns | join(', ') }} from {{ relation }} where {{ in_new_batches() }}
{%- endmacro %}
