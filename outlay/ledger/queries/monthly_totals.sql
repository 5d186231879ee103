-- page: expenses
-- grain: one month, account, category, currency and kind with transactions that are not void
-- parameters: first_month, last_month
--
-- From the totals that live keeps: the cost is that of the cells, whatever the number of transactions.
SELECT
    t.month, t.kind, t.currency, t.category_id, t.account_id,
    coalesce(a.name, 'Unnamed account') AS account, a.owner_id AS member_id,
    t.lines, t.amount
FROM live.monthly_totals AS t
LEFT JOIN live.accounts AS a ON a.workspace_id = t.workspace_id AND a.account_id = t.account_id
WHERE
    t.workspace_id = live.current_workspace()
    AND t.month >= %(first_month)s
    AND t.month <= %(last_month)s
    AND t.lines > 0
ORDER BY t.month, t.kind, t.currency, t.category_id, t.account_id
