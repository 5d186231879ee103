-- page: dashboard
-- grain: one account with spending in the month
-- parameters: month, month_after
SELECT
    s.account_id,
    coalesce(a.name, 'Unnamed account') AS account,
    a.type,
    u.name AS member,
    sum(s.amount_converted) AS spent
FROM gold.fct_daily_spend AS s
LEFT JOIN gold.dim_account AS a ON a.workspace_id = s.workspace_id AND a.account_id = s.account_id AND a.is_current
LEFT JOIN gold.dim_user AS u ON u.workspace_id = s.workspace_id AND u.user_id = a.owner_id
WHERE
    s.workspace_id = live.current_workspace()
    AND s.occurred_on >= %(month)s
    AND s.occurred_on < %(month_after)s
GROUP BY s.account_id, a.name, a.type, u.name
ORDER BY spent DESC, s.account_id
