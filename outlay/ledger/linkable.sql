-- name: entries
-- What the matching looks at, of the transactions that a condition holds for.
SELECT
    t.transaction_id, t.version, t.account_id, t.kind, t.status = 'posted' AS posted, t.occurred_on, t.posted_on, t.amount,
    t.currency, t.merchant, t.description, t.category_id, t.category_source, t.refund_of, t.transfer_pair,
    EXISTS (
        SELECT FROM live.transaction_lines AS l
        WHERE
            l.workspace_id = t.workspace_id AND l.transaction_id = t.transaction_id
            AND l.category_id IS NOT NULL AND NOT l.category_id = ANY(%(no_shops)s)
    ) AS split
FROM live.transactions AS t
WHERE
    t.workspace_id = live.current_workspace()
    AND t.transaction_id > %(after)s
    AND t.operation <> 'voided'
    AND ({})
ORDER BY t.transaction_id
LIMIT %(page)s

-- name: open
-- What may be half of a transfer, refunds that are linked to nothing, and what names a half that does not name it.
t.status = 'posted' AND t.refund_of IS NULL AND t.transfer_pair IS NULL
AND (t.kind IN ('transfer', 'refund') OR t.category_id IS NULL OR t.category_id = ANY(%(no_shops)s))
OR t.transfer_pair IS NOT NULL AND NOT EXISTS (
    SELECT FROM live.transactions AS o
    WHERE o.workspace_id = t.workspace_id AND o.transaction_id = t.transfer_pair AND o.transfer_pair = t.transaction_id
)

-- name: payable
-- The purchases that refunds of some merchants and days may pay back, and all that pays back something already.
t.refund_of IS NOT NULL AND t.amount < 0
OR t.status = 'posted' AND t.kind = 'expense' AND t.merchant = ANY(%(merchants)s)
AND t.occurred_on BETWEEN %(first)s AND %(last)s
