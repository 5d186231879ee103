{{ config(
    topics=['transaction', 'user', 'fx_rates'],
    touched='int_transaction_dates',
    replace_by=['workspace_id', 'transaction_id', 'occurred_on'],
    partition_by='occurred_on',
    indexes=[{'columns': ['workspace_id', 'occurred_on', 'category_id', 'account_id']}],
) }}

-- depends_on: {{ ref('int_transaction_dates') }}
with touched as (
    {{ touched(ref('int_transactions_touched'), ['workspace_id', 'transaction_id']) }}
),

lines as (
    select
        t.*,
        lines.line_no,
        lines.line_id,
        coalesce(lines.category_id, 'uncategorised') as line_category_id,
        lines.amount as line_amount,
        workspaces.currency as workspace_currency,
        workspaces.minor_units,
        t.currency = workspaces.currency as is_own_currency,
        case when t.currency <> workspaces.currency and workspaces.minor_units is not null then t.currency end as paid_in
    from {{ ref('int_transactions_current') }} as t
    {{ only_touched('t', ['workspace_id', 'transaction_id']) }}
    inner join {{ ref('stg_transaction_lines') }} as lines
        on lines.workspace_id = t.workspace_id and lines.topic_id = t.topic_id
        and lines.log_partition = t.log_partition and lines.log_offset = t.log_offset
    left join {{ ref('int_workspaces') }} as workspaces on workspaces.workspace_id = t.workspace_id
    where not t.is_voided
),

-- Through the euro. Bounds keep what no rate of this world comes to from failing the build: such a line stays unconverted.
rated as (
    select
        lines.*,
        case
            when is_own_currency then 1
            else {{ cross_rate('paid.per_eur', 'bought.per_eur') }}
        end as rate,
        case when is_own_currency then occurred_on else least(bought.rate_on, paid.rate_on) end as rate_on
    from lines
    left join lateral ({{ rate_of('lines.paid_in', 'lines.occurred_on') }}) as paid on true
    left join lateral (
        {{ rate_of('case when lines.paid_in is not null then lines.workspace_currency end', 'lines.occurred_on') }}
    ) as bought on true
),

exact as (
    select rated.*, line_amount * rate as converted from rated
),

converted as (
    select
        exact.*,
        case
            when is_own_currency then line_amount
            else {{ storable('converted', 'minor_units') }}
        end as amount_converted
    from exact
)

select
    workspace_id,
    transaction_id,
    line_no,
    line_id,
    version,
    kind,
    status,
    occurred_on,
    posted_on,
    account_id,
    line_category_id as category_id,
    merchant,
    mcc,
    line_amount as amount,
    currency,
    amount as transaction_amount,
    workspace_currency,
    (case when amount_converted is not null then rate end)::numeric(24, 12) as fx_rate,
    case when amount_converted is not null then rate_on end as fx_rate_on,
    amount_converted::numeric(18, 4) as amount_converted,
    refund_of,
    transfer_pair,
    import_id,
    actor_id,
    event_source,
    external_id,
    event_id,
    recorded_at
from converted
