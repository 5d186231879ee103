-- page: expenses
-- grain: one part of one transaction; none where it has one part
-- parameters: transaction_id
SELECT l.line_id, l.category_id, l.amount, l.note
FROM live.transaction_lines AS l
WHERE l.workspace_id = live.current_workspace() AND l.transaction_id = %(transaction_id)s
ORDER BY l.line_no
