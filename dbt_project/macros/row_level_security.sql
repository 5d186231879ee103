{# What the app's role may read of a mart. With a workspace_id: forced row-level security, its own workspace's rows, and, where
   `shared_rows` is set, those of the nil workspace. Without: everything. Partitions are never granted: a query of a partition
   would pass by its parent's policy. #}
{% macro grant_to_app(relation) %}
grant select on {{ relation }} to outlay_app, outlay_pipeline;
{% if 'workspace_id' in model.columns %}
alter table {{ relation }} enable row level security;
alter table {{ relation }} force row level security;
drop policy if exists own_workspace on {{ relation }};
create policy own_workspace on {{ relation }} for select to outlay_app using (
    workspace_id = (select live.admitted_workspace())
    {%- if config.get('shared_rows') %} or workspace_id = {{ shared_workspace() }}{% endif %}
);
{# The owner is bound by a forced policy too, unless its role bypasses; the pipeline's checks read all. #}
{% endif %}
{% endmacro %}
