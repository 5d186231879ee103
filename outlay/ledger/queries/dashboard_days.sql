-- page: dashboard
-- grain: one day of the month, with spending or without
-- parameters: month, month_after
SELECT d.date_on AS day, coalesce(sum(s.amount_converted), 0) AS spent
FROM gold.dim_date AS d
LEFT JOIN gold.fct_daily_spend AS s ON s.workspace_id = live.current_workspace() AND s.occurred_on = d.date_on
WHERE d.date_on >= %(month)s AND d.date_on < %(month_after)s
GROUP BY d.date_on
ORDER BY d.date_on
