{# A table that follows silver's batches: a run applies the batches it has not seen, and touches only the keys in them.

   config
     topics       the topics whose batches it follows; none for a table made of seeds alone
     touched      the model that names, with a batch_id, the keys that a batch touches
     replace_by   the columns of those keys: their rows are deleted and the model's rows inserted; without both, only inserted
     partition_by a date column: monthly range partitions
     indexes      as in dbt

   Everything happens in one transaction, under a lock of the model's own: a build that fails leaves the model as it was, and the
   next one catches up; builds at the same time take turns, model by model, and the later finds nothing left to do. The table is
   made anew when it is missing, for --full-refresh, when its code has changed, when a table, view or seed that it reads has been
   made anew after it, and when a new batch replaces others: what those held and it does not names no key. #}
{% materialization incremental, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ take_turn() }}
    {%- set run = batches_to_apply() -%}
    {% if not run.is_anything_new %}
        {% do store_raw_result(name='main', message='UP TO DATE', code='UP TO DATE', rows_affected='0') %}
        {% do run_query(record_run(model.name, run.since, run.upto, false, 0, 0)) %}
        {% do run_query(record_progress(model.name, run)) %}
    {% else %}
        {% do run_query(
            "set local work_mem = '128MB'; select set_config('outlay.since', '" ~ run.since ~ "', true), "
            ~ "set_config('outlay.upto', '" ~ run.upto ~ "', true)"
        ) %}
        {{ run_hooks(pre_hooks, inside_transaction=True) }}
        {% do apply_batches(target_relation, run, sql) %}
        {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% endif %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# {since, upto, version, full_refresh, is_anything_new} of this run. Upstream models bound `upto`, so that none is read ahead of
   itself. Batches of other topics change nothing, and count as applied. #}
{% macro batches_to_apply() %}
    {%- set parents = [] -%}
    {%- for id in ancestors(model.depends_on.nodes) -%} {%- do parents.append(graph.nodes[id]) -%} {%- endfor -%}
    {%- set topics = config.get('topics', []) -%}
    {%- set query %}
        select own.*, p.batch_id, p.version, to_regclass('{{ this }}') is not null and p.model is not null as is_built,
               exists (
                   select from {{ source('silver', 'batches') }} as b
                   where b.topic in ('{{ topics | join("', '") }}') and b.batch_id > p.batch_id and b.batch_id <= own.upto
               ) as is_anything_new,
               exists (
                   select from {{ source('silver', 'batches') }} as b
                   where b.topic in ('{{ topics | join("', '") }}') and b.batch_id > p.batch_id and b.batch_id <= own.upto and b.replaces <> '{}'
               ) as is_anything_replaced,
               (
                   select max(made) from {{ progress_of_all() }} as parents where model in (''
                   {%- for node in parents %}, '{{ node.name }}'{% endfor %})
               ) > p.made as is_outdated
        from (
            select '{{ model.name }}' as model,
            {% if topics -%}
            least(
                coalesce((select max(batch_id) from {{ source('silver', 'batches') }}), 0),
                (select min(batch_id) from {{ progress_of_all() }} as parents where model in (''
                {%- for node in parents if node.config.materialized == 'incremental' and node.config.get('topics') %}, '{{ node.name }}'{% endfor %}))
            )
            {%- else %} 0 {%- endif %} as upto
        ) as own
        left join {{ target.schema }}.progress as p on p.model = own.model
    {%- endset -%}
    {%- set row = run_query(query)[0] -%}
    {%- set version = only_part() or local_md5(
        sql ~ get_table_columns_and_constraints() ~ tojson(config.get('indexes', [])) ~ config.get('partition_by')
    ) -%}
    {%- set full = should_full_refresh() or only_part() is not none or not row['is_built'] or row['version'] != version or row['is_outdated']
        or row['is_anything_replaced'] or row['batch_id'] > row['upto']
        or (row['batch_id'] == 0 and row['upto'] > 0) -%} {#- the first batches of all: nothing was built from any yet -#}
    {{ return({
        'since': 0 if full else row['batch_id'] | int, 'upto': row['upto'] | int, 'version': version, 'full_refresh': full,
        'is_anything_new': row['is_anything_new'] or full
    }) }}
{% endmacro %}

{% macro apply_batches(target_relation, run, sql) %}
    {%- set columns = model.columns.keys() | list -%}
    {%- set column_list = adapter.dispatch('get_column_names', 'dbt')() -%}
    {%- set rows = model.name ~ '__rows' -%}
    {%- set into = make_intermediate_relation(target_relation) if run.full_refresh else target_relation -%}
    {%- set partition_by = config.get('partition_by') -%}
    {{ get_assert_columns_equivalent(sql) }}
    {% do run_query("create temporary table " ~ rows ~ " on commit drop as (" ~ (sql if run.since else of_everything(sql)) ~ "); analyze " ~ rows) %}
    {% if run.full_refresh %}
        {% do run_query(
            "drop table if exists " ~ into ~ "; create table " ~ into ~ get_table_columns_and_constraints()
            ~ (" partition by range (" ~ partition_by ~ ")" if partition_by else "")
        ) %}
    {% elif config.get('touched') %}
        {% do run_query(delete_touched(target_relation)) %}
    {% endif %}
    {% if partition_by %} {% do create_partitions(into, rows, partition_by) %} {% endif %}
    {% call statement('main') %}
        insert into {{ into }} ({{ column_list }}) select {{ column_list }} from {{ rows }}
    {% endcall %}
    {% if run.full_refresh %}
        {% do create_indexes(into) %}
        {% do run_query(swap_in(into, target_relation)) %}
        {% do run_query(grant_to_app(target_relation)) if target_relation.schema != 'intermediate' and not is_development() %}
    {% endif %}
    {%- set counted = run_query(rows_of_this_transaction())[0] -%}
    {% if counted['rows_written'] > 1000 and (not partition_by or is_much(counted['rows_written'], target_relation)) %}
        {% do run_query("analyze " ~ target_relation) %}
    {% endif %}
    {% do run_query(record_run(model.name, run.since, run.upto, run.full_refresh, counted['rows_read'], counted['rows_written'])) %}
    {% do run_query(record_progress(model.name, run)) %}
{% endmacro %}

{# Whether so many rows are a tenth of a partitioned table: ANALYZE samples each of its partitions, whatever was written to it. #}
{% macro is_much(rows, relation) %}
    {{ return(run_query("select " ~ rows ~ " * 10 > " ~ rows_stored(relation))[0][0]) }}
{% endmacro %}

{# SQL of how many rows a partitioned table has, as PostgreSQL last estimated each of its partitions. #}
{% macro rows_stored(relation) -%}
    (select sum(greatest(reltuples, 0)) from pg_class inner join pg_partition_tree('{{ relation }}') on relid = oid where isleaf)
{%- endmacro %}

{# The keys are put aside first: joins on several columns that go together are taken for far smaller than they are, and a plan for a
   handful of keys reads a day's rows anew for each of many. Few keys are looked up one by one: the planner does not know that each
   leads to one partition alone, and would rather read them all. #}
{% macro delete_touched(target_relation) %}
    {%- set keys = config.require('replace_by') -%}
    {%- set put_aside = model.name ~ '__touched' -%}
    create temporary table {{ put_aside }} on commit drop as {{ touched(ref(config.require('touched')), keys) }};
    analyze {{ put_aside }};
    {% if config.get('partition_by') %}
    select set_config(joining, case when few then 'off' else 'on' end, true)
    from (
        select (select count(*) from {{ put_aside }}) * 20 < {{ rows_stored(target_relation) }} as few
    ) as keys, unnest('{enable_hashjoin, enable_mergejoin}'::text[]) as joining;
    {% endif %}
    delete from {{ target_relation }} as old
    using {{ put_aside }} as touched
    where {% for key in keys %}old.{{ key }} = touched.{{ key }}{{ ' and ' if not loop.last }}{% endfor %};
    set local enable_hashjoin = on; set local enable_mergejoin = on
{% endmacro %}

{# Put the new table, its partitions, indexes and constraints in the place and under the names of the old. #}
{% macro swap_in(new, target_relation) %}
drop table if exists {{ target_relation }} cascade;
do $$
declare renaming record;
begin
    for renaming in
        select relation.oid::regclass::text as name, relation.relname, relation.relkind
        from pg_class as relation
        where relation.relnamespace = '{{ target_relation.schema }}'::regnamespace
          and relation.relname like '{{ new.identifier | replace("_", "\\_") }}%' and relation.relkind in ('r', 'p', 'i', 'I')
    loop
        execute format(
            'alter %s %s rename to %I', case when renaming.relkind in ('i', 'I') then 'index' else 'table' end, renaming.name,
            replace(renaming.relname, '{{ new.identifier }}', '{{ target_relation.identifier }}')
        );
    end loop;
end $$;
{% endmacro %}
