select
    batch_id, workspace_id, topic_id, partition as log_partition, "offset" as log_offset,
    transaction_id, line_no, line_id, category_id, amount, currency, note
from {{ source('silver', 'transaction_lines') }}
