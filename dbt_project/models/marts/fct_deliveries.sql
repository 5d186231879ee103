{{ config(
    topics=['report', 'reminder'],
    touched='int_deliveries_touched',
    replace_by=['workspace_id', 'subject', 'subject_id'],
) }}

with touched as (
    {{ touched(ref('int_deliveries_touched'), ['workspace_id', 'subject', 'subject_id']) }}
),

steps as (
    select
        touched.workspace_id, touched.subject, touched.subject_id, v.version, v.state, v.occurred_at,
        v.state ->> 'operation' as operation
    from touched
    inner join {{ ref('int_entity_versions') }} as v
        on v.workspace_id = touched.workspace_id and v.entity = touched.subject and v.entity_id = touched.subject_id
),

-- A report is asked for by a step of its own, before; a reminder says with each step when it is due.
asked as (
    select
        *,
        case subject
            when 'reminder' then (state ->> 'due_at')::timestamptz
            else max(occurred_at) filter (where operation = 'requested') over (
                partition by workspace_id, subject_id order by version rows between unbounded preceding and current row
            )
        end as asked_at
    from steps
)

select
    workspace_id,
    subject,
    subject_id,
    version,
    operation as outcome,
    (row_number() over (partition by workspace_id, subject, subject_id, asked_at order by version))::int as attempt,
    coalesce(state ->> 'name', state ->> 'about') as name,
    state ->> 'period' as period,
    state ->> 'format' as format,
    state ->> 'channel' as channel,
    asked_at,
    occurred_at as ended_at,
    extract(epoch from occurred_at - asked_at)::numeric(18, 6) as delay_seconds,
    state ->> 'error' as error
from asked
where operation in ('delivered', 'failed')
