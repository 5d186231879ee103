{# Condition on `column` that holds for what this invocation built of `model_name`; for everything where it built nothing of it, as
   under `dbt test`. A test of a table that grows looks at what is new: the rest was looked at when it was. #}
{% macro tested_batches(model_name, column='batch_id') -%}
    {%- set run = tested_run(model_name) -%}
    {%- if run is not none -%} {{ column }} > {{ run['since'] }} and {{ column }} <= {{ run['upto'] }}
    {%- else -%} {{ column }} > 0
    {%- endif -%}
{%- endmacro %}

{# Whether that is everything: a test can be shorter then. #}
{% macro is_everything_tested(model_name) -%}
    {%- set run = tested_run(model_name) -%}
    {{ return(run is none or run['since'] == 0) }}
{%- endmacro %}

{% macro tested_run(model_name) -%}
    {%- set runs = run_query(
        "select since, upto from " ~ target.schema ~ ".model_runs where invocation_id = '" ~ invocation_id ~ "' and model = '" ~ model_name ~ "'"
    ) if execute else [] -%}
    {{ return(runs[0] if runs | length else none) }}
{%- endmacro %}
