{# Begin the model's transaction, and hold until it ends: the model's own lock, so that builds at the same time take turns at each
   model; and a shared one of all that it reads, so that none of that is built meanwhile: between two of the model's statements a
   key's batch would change, and the key be deleted but not inserted, or inserted but not deleted. Whoever takes several takes them
   in the order of their names: nobody waits in a circle. #}
{% macro take_turn() %}
    {%- set own = this | string -%}
    {%- set names = [own] -%}
    {%- set parents = ancestors(model.depends_on.get('nodes', [])) -%}
    {%- for id in parents -%} {%- do names.append(graph.nodes[id].relation_name) -%} {%- endfor -%}
    {% call statement('take_turn') %}
        {{ hold_running(parents) }}
        {% for name in names | unique | sort -%}
        select pg_advisory_xact_lock{{ '_shared' if name != own }}(hashtextextended('{{ name }}', 0));
        {% endfor %}
    {% endcall %}
{% endmacro %}

{# The nodes, and those behind the views among them: all seeds, views and tables that a model is made of. #}
{% macro ancestors(ids) %}
    {%- set found = [] -%}
    {%- for id in ids if id in graph.nodes -%}
        {%- if graph.nodes[id].resource_type == 'model' and graph.nodes[id].config.materialized == 'view' -%}
            {%- do found.extend(ancestors(graph.nodes[id].depends_on.nodes)) -%}
        {%- endif -%}
        {%- do found.append(id) -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{% endmacro %}
