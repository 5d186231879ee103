-- page: dashboard
-- grain: one month with spending
-- parameters: none
--
-- Spending is expenses less refunds, in the workspace's currency; what had no rate is not in it.
SELECT date_trunc('month', s.occurred_on)::date AS month, sum(s.amount_converted) AS spent
FROM gold.fct_daily_spend AS s
WHERE s.workspace_id = live.current_workspace()
GROUP BY month
ORDER BY month
