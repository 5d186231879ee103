{# Begin the model's transaction, and hold the model's own lock until it ends: builds at the same time take turns at each model. #}
{% macro take_turn() %}
    {% call statement('take_turn') %}
        select pg_advisory_xact_lock(hashtextextended('{{ this }}', 0))
    {% endcall %}
{% endmacro %}
