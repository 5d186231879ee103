{# A view that is replaced only when its code has changed, so that a build of unchanged code touches nothing, and two builds at
   once do not trip over each other's renames. `security_invoker: true` makes it safe to grant to the app. #}
{% materialization view, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set code = local_md5(sql ~ config.get('security_invoker', false)) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ take_turn() }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set current = run_query("select obj_description(to_regclass('" ~ this ~ "'))")[0][0] -%}
    {% if current == code %}
        {% do store_raw_result(name='main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') %}
    {% else %}
        {{ get_assert_columns_equivalent(sql) if config.get('contract').enforced }}
        {% call statement('main') %}
            drop view if exists {{ target_relation }} cascade;
            create view {{ target_relation }}
            {% if config.get('security_invoker') %} with (security_invoker = true) {% endif %}
            as {{ sql }};
            comment on view {{ target_relation }} is '{{ code }}';
            {% if config.get('security_invoker') and not is_development() %} grant select on {{ target_relation }} to outlay_app, outlay_pipeline; {% endif %}
        {% endcall %}
        {% do run_query(record_progress(model.name, {'upto': 0, 'version': code, 'full_refresh': true})) %}
    {% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
