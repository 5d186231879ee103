-- page: every
-- grain: one category that the workspace made itself, or one of all workspaces' that it changed
-- parameters: none
SELECT
    e.state -> 'category' ->> 'category_id' AS category_id,
    e.state -> 'category' ->> 'parent_id' AS parent_id,
    e.state -> 'category' ->> 'name' AS name
FROM live.entities AS e
WHERE e.workspace_id = live.current_workspace() AND e.entity = 'category' AND e.operation <> 'deleted'
ORDER BY name, category_id
