-- page: categories
-- grain: one budget that is in force
-- parameters: categories
SELECT
    e.entity_id AS budget_id,
    e.state -> 'budget' ->> 'name' AS name
FROM live.entities AS e
WHERE
    e.workspace_id = live.current_workspace()
    AND e.entity = 'budget'
    AND e.operation <> 'deleted'
    AND e.state -> 'budget' ->> 'category_id' = ANY(%(categories)s)
ORDER BY name, budget_id
