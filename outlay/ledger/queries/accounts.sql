-- page: every
-- grain: one account of the workspace
-- parameters: none
SELECT a.account_id, coalesce(a.name, 'Unnamed account') AS name, a.type, a.currency, a.institution, a.owner_id
FROM live.accounts AS a
WHERE a.workspace_id = live.current_workspace()
ORDER BY name, a.account_id
