{# Condition on `column` that holds for what this invocation built of `model_name`; for everything where it built nothing of it, as
   under `dbt test`. A test of a table that grows looks at what is new: the rest was looked at when it was. #}
{% macro tested_batches(model_name, column='batch_id') -%}
    {%- set runs = run_query(
        "select since, upto from " ~ target.schema ~ ".model_runs where invocation_id = '" ~ invocation_id ~ "' and model = '" ~ model_name ~ "'"
    ) if execute else [] -%}
    {%- if runs | length -%} {{ column }} > {{ runs[0]['since'] }} and {{ column }} <= {{ runs[0]['upto'] }}
    {%- else -%} {{ column }} > 0
    {%- endif -%}
{%- endmacro %}
