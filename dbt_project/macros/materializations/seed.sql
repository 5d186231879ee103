{# A seed is loaded again only when its file has changed. #}
{% materialization seed, adapter='postgres' %}
    {{ take_turn() }}
    {% set loaded = run_query(
        "select version from " ~ target.schema ~ ".progress where model = '" ~ model.name ~ "' and to_regclass('" ~ this ~ "') is not null"
    ) %}
    {% if loaded | length and loaded[0][0] == model.checksum.checksum and not should_full_refresh() %}
        {% do store_raw_result(name='main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') %}
        {% do store_result('agate_table', response='OK', agate_table=run_query('select 1 where false')) %}
        {% do run_query(record_run(model.name, 0, 0, false, 0, 0)) %}
        {{ adapter.commit() }}
        {{ return({'relations': [this.incorporate(type='table')]}) }}
    {% endif %}
    {{ return(materialization_seed_default()) }}
{% endmaterialization %}

{# Runs in the transaction that loaded the seed. #}
{% macro record_seed() %}
{% if execute %}
    {% do run_query(record_progress(model.name, {'upto': 0, 'version': model.checksum.checksum, 'full_refresh': true})) %}
    {% set rows = run_query(rows_of_this_transaction())[0] %}
    {% do run_query(record_run(model.name, 0, 0, true, rows['rows_read'], rows['rows_written'])) %}
{% endif %}
{% endmacro %}
