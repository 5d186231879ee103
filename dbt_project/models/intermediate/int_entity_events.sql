{{ config(materialized='view') }}

{% for topic in ['user', 'report', 'reminder'] -%}
select
    batch_id, workspace_id, topic_id, log_partition, log_offset, logged_at, event_id, entity, entity_id, version, operation, batch_decision,
    actor_id, event_source, external_id, correlation_id, occurred_at, recorded_at, state
from {{ ref('stg_' ~ topic ~ '_events') }}
{{ 'union all' if not loop.last }}
{% endfor %}
