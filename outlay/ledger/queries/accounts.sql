-- page: every
-- grain: one account of the workspace, closed ones included
-- parameters: none
SELECT
    a.account_id, coalesce(a.name, 'Unnamed account') AS name, a.type, a.currency, a.institution, a.owner_id, a.version,
    a.closed
FROM live.accounts AS a
WHERE a.workspace_id = live.current_workspace()
ORDER BY a.closed, name, a.account_id
