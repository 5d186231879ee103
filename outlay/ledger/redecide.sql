-- Current transactions of the session's workspace whose category the tables in seeds/ have decided, or nobody: the whole
-- state of each, as the ledger needs it for the next version.
SELECT t.workspace_id, t.transaction_id, t.version, t.operation, t.kind, t.status, t.account_id, t.occurred_on,
       t.occurred_at_local, t.posted_on, t.amount, t.currency, t.merchant, t.description, t.counterparty, t.category_id,
       t.category_source, t.category_confidence, t.decided_by, t.mcc, t.note, t.tags, t.refund_of, t.transfer_pair,
       t.attachments, t.import_id, t.external_id, coalesce(l.lines, '[]') AS lines
FROM live.transactions AS t
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'line_id', line.line_id, 'category_id', line.category_id, 'amount', line.amount::text, 'note', line.note
           ) ORDER BY line.line_no) AS lines
    FROM live.transaction_lines AS line
    WHERE line.workspace_id = t.workspace_id AND line.transaction_id = t.transaction_id
) AS l ON true
WHERE
    t.workspace_id = live.current_workspace()
    AND t.operation <> 'voided'
    AND t.category_source IN ('rule', 'mcc', 'unknown')
ORDER BY t.transaction_id
