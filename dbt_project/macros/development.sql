{# Whether this is a developer's target: one schema beside the running warehouse, which it only reads. #}
{% macro is_development() -%}
    {%- if target.name == 'dev' and not target.schema.startswith('dev_') -%}
        {{ exceptions.raise_compiler_error('the schema of the target dev begins with dev_, not ' ~ target.schema ~ ': run `eval "$(outlay env --dev)"`') }}
    {%- endif -%}
    {{ return(target.name == 'dev') }}
{%- endmacro %}

{# What the tables of this invocation are made of when that is not everything: 'empty', 'sample', or none. #}
{% macro only_part() -%}
    {{ return('empty' if invocation_args_dict.get('empty') else 'sample' if invocation_args_dict.get('sample') else none) }}
{%- endmacro %}

{# Before anything is done. #}
{% macro refuse_parts_of_the_warehouse() %}
    {%- if execute and only_part() and not is_development() -%}
        {{ exceptions.raise_compiler_error(
            '--' ~ only_part() ~ ' would put a part in the place of the running warehouse: run `eval "$(outlay env --dev)"` first'
        ) }}
    {%- endif -%}
{% endmacro %}

{# Where each model stands, as seen from here: this schema's, and of what it has not made itself the running warehouse's. #}
{% macro progress_of_all() -%}
    {%- if is_development() -%}
    (
        select * from {{ target.schema }}.progress
        union all
        select * from gold.progress as running
        where not exists (select from {{ target.schema }}.progress as own where own.model = running.model)
    )
    {%- else -%} {{ target.schema }}.progress
    {%- endif -%}
{%- endmacro %}

{# Before a developer's model looks at anything, for its transaction sees everything as at its first look, to which a table made later
   is empty. Builds of the same schema take turns, and what it reads of the running warehouse is not swapped for a new table until it
   ends; batches are applied meanwhile. LOCK is no look. #}
{% macro hold_running(ids) %}
    {%- if is_development() %}
        lock table {{ target.schema }}.progress in share update exclusive mode;
    {% endif -%}
    {%- for id in ids if is_development() and graph.nodes[id].defer_relation %}
        lock table {{ graph.nodes[id].defer_relation.relation_name }} in access share mode;
    {% endfor -%}
{% endmacro %}

{# dbt run-operation compare_with_running --args '{model: fct_daily_spend}': rows that only one of the two has. #}
{% macro compare_with_running(model, examples=10) %}
    {%- set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', model) | first -%}
    {%- if not node -%} {{ exceptions.raise_compiler_error('there is no model ' ~ model) }} {%- endif -%}
    {%- if not is_development() -%} {{ exceptions.raise_compiler_error('run `eval "$(outlay env --dev)"` first: this is the running warehouse') }} {%- endif -%}
    {%- set own = adapter.get_relation(node.database, node.schema, node.alias) -%}
    {%- set running = adapter.get_relation(node.database, node.config.schema, node.alias) -%}
    {%- if not own -%} {{ exceptions.raise_compiler_error(node.schema ~ ' has no ' ~ model ~ ' yet: dbt build --select ' ~ model) }} {%- endif -%}
    {%- if not running -%} {{ print(model ~ ' is new: ' ~ run_query('select count(*) from ' ~ own)[0][0] ~ ' rows') }} {{ return(none) }} {%- endif -%}
    {%- set own_columns = adapter.get_columns_in_relation(own) | map(attribute='name') | list -%}
    {%- set running_columns = adapter.get_columns_in_relation(running) | map(attribute='name') | list -%}
    {%- set shared = own_columns | select('in', running_columns) | list -%}
    {%- set columns = shared | map('tojson') | join(', ') -%}
    {%- for side, here, there, missing in [
        (target.schema, own, running, own_columns | reject('in', shared) | list),
        ('the running warehouse', running, own, running_columns | reject('in', shared) | list),
    ] -%}
        {%- set only %} select {{ columns }} from {{ here }} except all select {{ columns }} from {{ there }} {% endset -%}
        {%- set rows = run_query('select count(*) over () as of_all, only_here.* from (' ~ only ~ ') as only_here limit ' ~ examples) -%}
        {{ print('only ' ~ side ~ ' has: columns ' ~ (missing | join(', ') or 'none') ~ '; rows ' ~ (rows[0]['of_all'] if rows | length else 0)) }}
        {%- if rows | length -%} {%- do rows.exclude('of_all').print_table(max_columns=none, max_column_width=36) -%} {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# dbt run-operation drop_development: everything that a developer's target has made. #}
{% macro drop_development() %}
    {%- if not is_development() -%} {{ exceptions.raise_compiler_error('the running warehouse is not dropped') }} {%- endif -%}
    {%- call statement('drop', auto_begin=true) -%} drop schema if exists {{ target.schema }} cascade {%- endcall -%}
    {%- do adapter.commit() -%}
    {{ print(target.schema ~ ' is gone') }}
{% endmacro %}
