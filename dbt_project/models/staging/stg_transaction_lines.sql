select
    batch_id, workspace_id, topic_id, partition as log_partition, "offset" as log_offset,
    transaction_id, line_no, line_id, category_id, amount, currency, note,
    workspace_currency, fx_rate, fx_rate_on, amount_converted
from {{ source('silver', 'transaction_lines') }}
