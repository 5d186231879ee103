-- page: dashboard
-- grain: one part of an expense that is newer than gold: as gold still holds it, and as live does, converted as gold will
-- parameters: transaction_ids, first_month, month_after, currency, minor_units
SELECT p.is_live, p.transaction_id, p.occurred_on, p.category_id, p.account_id, p.merchant, p.currency, p.amount, p.amount_converted
FROM (
    SELECT
        false AS is_live, f.transaction_id, f.occurred_on, f.category_id, f.account_id, f.merchant, f.currency, f.amount,
        f.amount_converted
    FROM gold.fct_transactions AS f
    WHERE
        f.workspace_id = live.current_workspace()
        AND f.transaction_id = ANY(%(transaction_ids)s)
        AND f.occurred_on >= %(first_month)s
        AND f.occurred_on < %(month_after)s
        AND f.kind IN ('expense', 'refund')
    UNION ALL
    SELECT
        true, t.transaction_id, t.occurred_on, c.category_id, c.account_id, t.merchant, c.currency, c.amount,
        reference.converted(c.amount, c.currency, %(currency)s, %(minor_units)s, t.occurred_on)
    FROM live.transactions AS t
    INNER JOIN live.current_parts AS c ON c.workspace_id = t.workspace_id AND c.transaction_id = t.transaction_id
    WHERE
        t.workspace_id = live.current_workspace()
        AND t.transaction_id = ANY(%(transaction_ids)s)
        AND t.occurred_on >= %(first_month)s
        AND t.occurred_on < %(month_after)s
        AND t.kind IN ('expense', 'refund')
) AS p
