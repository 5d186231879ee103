{{ config(materialized='view') }}

select batch_id, workspace_id, transaction_id from {{ ref('int_transactions_current') }}
union all
select batch_id, workspace_id, transaction_id from {{ ref('int_reconversions') }}
