{# Where each model stands, and what each run of it cost. Both are about models, so every role may read them. #}
{% macro create_bookkeeping() %}
{{ refuse_parts_of_the_warehouse() }}
{#- A lock and not only `if not exists`: two first runs at once would both try. -#}
select pg_advisory_xact_lock(hashtextextended('outlay.bookkeeping of {{ target.schema }}', 0));
{% if is_development() -%}
create schema if not exists {{ target.schema }};
{% else -%}
create sequence if not exists gold.makings;
{% endif -%}
create table if not exists {{ target.schema }}.progress (
    model     text        primary key, -- or a seed, or a view
    batch_id  bigint      not null, -- every silver batch up to this one is in the model, if it is of its topics
    version   text        not null, -- checksum of its code; of its file, for a seed
    built_at  timestamptz not null,
    made      bigint      not null default 0 -- when it was last made anew, of everything: a number of gold.makings
);
{% if not is_development() -%}
do $$ begin -- a table of an older version; asked first, for ALTER would wait for every build and every page
    if not exists (select from pg_attribute where attrelid = 'gold.progress'::regclass and attname = 'made') then
        alter table gold.progress drop column if exists made_at, add column made bigint not null default 0;
    end if;
end $$;
{% endif -%}
create table if not exists {{ target.schema }}.model_runs (
    invocation_id text        not null,
    model         text        not null,
    since         bigint      not null, -- batches above this one
    upto          bigint      not null, -- and not above this one were applied
    full_refresh  boolean     not null,
    rows_read     bigint      not null,
    rows_written  bigint      not null,
    finished_at   timestamptz not null,
    primary key (invocation_id, model)
);
{% if not is_development() -%}
create table if not exists gold.reconciled (
    batch_id  bigint      not null, -- up to this batch the facts were what live holds
    made      bigint      not null, -- the making of the facts that was looked at
    was_whole boolean     not null, -- or only what batches have touched since they were last found so
    at        timestamptz not null default clock_timestamp()
);
grant select on {{ target.schema }}.progress, {{ target.schema }}.model_runs to outlay_app, outlay_pipeline;
{% endif -%}
{% endmacro %}

{% macro record_run(model_name, since, upto, full_refresh, rows_read, rows_written) %}
insert into {{ target.schema }}.model_runs
values ('{{ invocation_id }}', '{{ model_name }}', {{ since }}, {{ upto }}, {{ full_refresh }}, {{ rows_read }}, {{ rows_written }}, clock_timestamp())
on conflict (invocation_id, model) do update
set since = least(model_runs.since, excluded.since), upto = excluded.upto, full_refresh = model_runs.full_refresh or excluded.full_refresh,
    rows_read = model_runs.rows_read + excluded.rows_read, rows_written = model_runs.rows_written + excluded.rows_written,
    finished_at = excluded.finished_at
{% endmacro %}

{% macro record_progress(model_name, run) %}
insert into {{ target.schema }}.progress
values ('{{ model_name }}', {{ run.upto }}, '{{ run.version }}', clock_timestamp(), {{ "nextval('gold.makings')" if run.full_refresh else 0 }})
on conflict (model) do update set batch_id = excluded.batch_id, version = excluded.version, built_at = excluded.built_at
{%- if run.full_refresh %}, made = excluded.made {% endif %}
{% endmacro %}

{# SQL of a query for (rows_read, rows_written) of the current transaction so far, as PostgreSQL counted them.

   Rows read are those fetched from the project's own tables, by scan or by index; rows written are inserted, updated or
   deleted. Not counted: temporary tables (a step's own intermediate result), the two tables above, and silver.batches (a list of
   batches, of which the newest is looked up). #}
{% macro rows_of_this_transaction() %}
select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint as rows_read,
       coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint as rows_written
from pg_stat_xact_user_tables
where schemaname !~ '^pg_temp'
  and (schemaname, relname) not in (('{{ target.schema }}', 'progress'), ('{{ target.schema }}', 'model_runs'), ('silver', 'batches'))
{% endmacro %}
