-- page: expenses
-- grain: one part of one transaction of several; none of one that has a single part
-- parameters: transaction_ids
SELECT l.transaction_id, l.line_id, l.category_id, l.amount, l.note
FROM live.transaction_lines AS l
WHERE l.workspace_id = live.current_workspace() AND l.transaction_id = ANY(%(transaction_ids)s)
ORDER BY l.transaction_id, l.line_no
