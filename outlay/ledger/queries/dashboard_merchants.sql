-- page: dashboard
-- grain: one merchant with spending in the month, the largest first
-- parameters: month, month_after, size
SELECT
    f.merchant,
    sum(f.amount_converted) AS spent,
    count(DISTINCT f.transaction_id) AS purchases,
    m.first_seen_on >= %(month)s AS is_new
FROM gold.fct_transactions AS f
INNER JOIN gold.dim_merchant AS m ON m.workspace_id = f.workspace_id AND m.merchant = f.merchant
WHERE
    f.workspace_id = live.current_workspace()
    AND f.occurred_on >= %(month)s
    AND f.occurred_on < %(month_after)s
    AND f.kind IN ('expense', 'refund')
    AND f.amount_converted IS NOT NULL
GROUP BY f.merchant, m.first_seen_on
ORDER BY spent DESC, f.merchant
LIMIT %(size)s
