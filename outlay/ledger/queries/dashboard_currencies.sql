-- page: dashboard
-- grain: one currency that the workspace spent in the month
-- parameters: month, month_after
--
-- A transaction has one currency, so the counts may be summed. What had no rate on its day is in no other figure.
SELECT
    f.currency,
    count(DISTINCT f.transaction_id) AS purchases,
    coalesce(sum(f.amount) FILTER (WHERE f.amount_converted IS NULL), 0) AS not_converted,
    count(DISTINCT f.transaction_id) FILTER (WHERE f.amount_converted IS NULL) AS purchases_not_converted
FROM gold.fct_transactions AS f
WHERE
    f.workspace_id = live.current_workspace()
    AND f.occurred_on >= %(month)s
    AND f.occurred_on < %(month_after)s
    AND f.kind IN ('expense', 'refund')
GROUP BY f.currency
ORDER BY f.currency
