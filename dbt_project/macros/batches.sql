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

{# Keys that the new batches touch: distinct `columns` of `relation`, which has a batch_id. `everything` is a shorter way to all
   keys, for a build of everything. #}
{% macro touched(relation, columns, everything=none) -%}
    {%- set keys %}select distinct {{ columns | join(', ') }} from {{ relation }} where {{ in_new_batches() }}{% endset -%}
    {{ in_turn(keys, everything) if everything else keys }}
{%- endmacro %}

{# The merchants that the new batches touch: all that a touched transaction was ever of. #}
{% macro merchants_touched() -%}
    {{ touched(
        ref('int_merchants_named'),
        ['workspace_id', 'merchant'],
        everything='select distinct workspace_id, merchant from ' ~ ref('int_transactions_current') ~ ' where merchant is not null'
    ) }}
{%- endmacro %}

{# A join that leaves of `relation` what has the keys of the model's CTE `touched`; a build of everything needs no such join. #}
{% macro only_touched(relation, columns) -%}
    {%- set join_of_keys %}inner join touched on {% for column in columns %}touched.{{ column }} = {{ relation }}.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}{% endset -%}
    {{ in_turn(join_of_keys, '') }}
{%- endmacro %}

{# SQL of which the materialisation takes the second part where it builds everything. The model's code is one and the same: which part
   is run is no change of it. By itself, as `dbt compile` and unit tests have it, it is the first. #}
{% macro in_turn(of_new_batches, of_everything) -%}
    /*new batches*/ {{ of_new_batches }} /*everything: {{ of_everything }} :end*/
{%- endmacro %}

{% macro of_everything(sql) -%}
    {{ return(modules.re.sub('/\\*new batches\\*/.*?/\\*everything:(.*?):end\\*/', '\\1', sql, flags=modules.re.DOTALL)) }}
{%- endmacro %}
