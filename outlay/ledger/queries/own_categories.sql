-- page: every
-- grain: one category that the workspace made itself, or one of all workspaces' that it changed; the archived ones too
-- parameters: none
SELECT
    category_id, parent_id, name, version, entity_id, archived_itself, merged_into
FROM (
    SELECT DISTINCT ON (e.state -> 'category' ->> 'category_id')
        e.state -> 'category' ->> 'category_id' AS category_id,
        e.state -> 'category' ->> 'parent_id' AS parent_id,
        e.state -> 'category' ->> 'name' AS name,
        e.state -> 'category' ->> 'merged_into' AS merged_into,
        e.operation = 'deleted' AS archived_itself,
        e.version,
        e.entity_id
    FROM live.entities AS e
    WHERE
        e.workspace_id = live.current_workspace()
        AND e.entity = 'category'
        AND length(e.state -> 'category' ->> 'category_id') BETWEEN 1 AND 100
    ORDER BY e.state -> 'category' ->> 'category_id', e.entity_id
) AS own
ORDER BY name, category_id
