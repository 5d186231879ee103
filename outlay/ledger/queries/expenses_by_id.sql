-- page: expenses
-- grain: one transaction of the workspace, in its current state
-- parameters: transaction_ids
SELECT
    t.transaction_id, t.version, t.operation, t.kind, t.status, t.occurred_on, t.posted_on, t.amount, t.currency,
    t.merchant, t.description, t.counterparty, t.account_id, t.category_id, t.category_source, t.mcc, t.note, t.tags,
    t.refund_of, t.transfer_pair, t.attachments, t.source, t.external_id, t.recorded_at,
    coalesce(t.merchant, t.description, t.counterparty, '') AS name
FROM live.transactions AS t
WHERE t.workspace_id = live.current_workspace() AND t.transaction_id = ANY(%(transaction_ids)s)
