-- page: categories
-- grain: one row
-- parameters: categories
SELECT
    count(*) AS expenses,
    min(t.occurred_on) AS first_on,
    max(t.occurred_on) AS last_on
FROM live.transactions AS t
WHERE
    t.workspace_id = live.current_workspace()
    AND t.operation <> 'voided'
    AND (
        t.category_id = ANY(%(categories)s)
        OR EXISTS (
            SELECT FROM live.transaction_lines AS l
            WHERE
                l.workspace_id = live.current_workspace()
                AND l.transaction_id = t.transaction_id
                AND l.category_id = ANY(%(categories)s)
        )
    )
