-- page: dashboard
-- grain: one category with spending in the month or the month before it
-- parameters: month, month_before, month_after
SELECT
    s.category_id,
    coalesce(c.name, s.category_id) AS name,
    coalesce(c.root_id, s.category_id) AS root_id,
    coalesce(root.name, c.name, s.category_id) AS root,
    coalesce(sum(s.amount_converted) FILTER (WHERE s.occurred_on >= %(month)s), 0) AS spent,
    coalesce(sum(s.amount_converted) FILTER (WHERE s.occurred_on < %(month)s), 0) AS spent_before
FROM gold.fct_daily_spend AS s
LEFT JOIN gold.workspace_categories AS c ON c.category_id = s.category_id
LEFT JOIN gold.workspace_categories AS root ON root.category_id = c.root_id
WHERE
    s.workspace_id = live.current_workspace()
    AND s.occurred_on >= %(month_before)s
    AND s.occurred_on < %(month_after)s
GROUP BY s.category_id, c.name, c.root_id, root.name
ORDER BY spent DESC, s.category_id
