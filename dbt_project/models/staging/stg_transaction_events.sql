select
    batch_id, workspace_id, topic_id, partition as log_partition, "offset" as log_offset, logged_at,
    event_id, transaction_id, version, operation, decision as batch_decision,
    kind, status, account_id, occurred_on, occurred_at_local, posted_on, amount, currency,
    merchant, description, counterparty, category_id, category_source, category_confidence, decided_by, mcc, note, tags,
    refund_of, transfer_pair, import_id, actor_id, source as event_source, external_id, correlation_id, occurred_at, recorded_at
from {{ source('silver', 'transaction_events') }}
