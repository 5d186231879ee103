-- page: dashboard
-- grain: one merchant with spending in the month, the largest first; those of the names given too, however little it is
-- parameters: month, month_after, size, names
SELECT s.merchant, s.spent, s.purchases, coalesce(m.first_seen_on >= %(month)s, true) AS is_new
FROM (
    SELECT
        f.merchant,
        sum(f.amount_converted) AS spent,
        count(DISTINCT f.transaction_id) AS purchases,
        row_number() OVER (ORDER BY sum(f.amount_converted) DESC, f.merchant) AS place
    FROM gold.fct_transactions AS f
    WHERE
        f.workspace_id = live.current_workspace()
        AND f.occurred_on >= %(month)s
        AND f.occurred_on < %(month_after)s
        AND f.kind IN ('expense', 'refund')
        AND f.merchant IS NOT NULL
        AND f.amount_converted IS NOT NULL
    GROUP BY f.merchant
) AS s
LEFT JOIN gold.dim_merchant AS m ON m.workspace_id = live.current_workspace() AND m.merchant = s.merchant
WHERE s.place <= %(size)s OR s.merchant = ANY(%(names)s)
ORDER BY s.spent DESC, s.merchant
