{{ config(meta={'dagster': {'ref': {'name': 'fct_daily_spend'}}}) }}

-- depends_on: {{ ref('int_spending_cells') }}
{% set everything = is_everything_tested('fct_daily_spend') %}
{% set cell = ['workspace_id', 'occurred_on', 'category_id', 'account_id', 'currency'] %}

with {% if not everything %}touched as (
    select distinct {{ cell | join(', ') }} from {{ ref('int_spending_cells') }}
    where {{ tested_batches('fct_daily_spend') }}
),

{% endif %}facts as (
    select {% for c in cell %}f.{{ c }}, {% endfor %} sum(f.amount) as amount, sum(f.amount_converted) as amount_converted
    from {{ ref('fct_transactions') }} as f
    {% if not everything %}
    inner join touched
        on {% for c in cell %}f.{{ c }} = touched.{{ c }}{{ ' and ' if not loop.last }}{% endfor %}
    {% endif %}
    where f.kind in ('expense', 'refund')
    group by {% for c in cell %}f.{{ c }}{{ ', ' if not loop.last }}{% endfor %}
),

cells as (
    select d.*
    from {{ ref('fct_daily_spend') }} as d
    {% if not everything %}
    inner join touched
        on {% for c in cell %}d.{{ c }} = touched.{{ c }}{{ ' and ' if not loop.last }}{% endfor %}
    {% endif %}
)

select {{ cell | join(', ') }}, facts.amount as facts_amount, cells.amount as cell_amount
from facts
full join cells using ({{ cell | join(', ') }})
where
    facts.amount is distinct from cells.amount
    or coalesce(facts.amount_converted, 0) is distinct from cells.amount_converted
