-- page: expenses
-- grain: one transaction of the page, as the warehouse converted it to the workspace's currency
-- parameters: transaction_ids, first_day, last_day
--
-- Null where a line had no rate. The version says which state was converted: a newer one waits for the next build.
SELECT
    f.transaction_id,
    max(f.version) AS version,
    f.workspace_currency AS currency,
    CASE WHEN count(*) = count(f.amount_converted) THEN sum(f.amount_converted) END AS amount
FROM gold.fct_transactions AS f
WHERE
    f.workspace_id = live.current_workspace()
    AND f.occurred_on BETWEEN %(first_day)s AND %(last_day)s
    AND f.transaction_id = ANY(%(transaction_ids)s)
GROUP BY f.transaction_id, f.workspace_currency
