-- The last whole week of each workspace that batches have touched, beside the weeks before it.
WITH touched AS (
    SELECT DISTINCT workspace_id FROM intermediate.int_transactions_touched WHERE batch_id > {since} AND batch_id <= {upto}
),
newest AS (
    SELECT t.workspace_id, date_trunc('week', d.newest::timestamp)::date AS running
    FROM touched AS t
    CROSS JOIN LATERAL (
        SELECT max(occurred_on) AS newest FROM gold.fct_daily_spend AS d
        WHERE d.workspace_id = t.workspace_id AND d.occurred_on <= current_date
    ) AS d
),
spent AS ( -- one look into each workspace's half year
    SELECT n.workspace_id, (n.running - d.occurred_on + 6) / 7 AS ago, sum(d.transactions) AS transactions,
           sum(d.amount_converted) AS spent
    FROM newest AS n
    JOIN gold.fct_daily_spend AS d
        ON d.workspace_id = n.workspace_id
        AND d.occurred_on >= n.running - 7 * ({weeks} + 1) AND d.occurred_on < n.running
    GROUP BY n.workspace_id, ago
),
weeks AS (
    SELECT n.workspace_id, n.running - 7 * ago AS week, ago, coalesce(s.transactions, 0) AS transactions,
           coalesce(s.spent, 0) AS spent
    FROM newest AS n
    CROSS JOIN generate_series(1, {weeks} + 1) AS ago
    LEFT JOIN spent AS s USING (workspace_id, ago)
),
usual AS (
    SELECT workspace_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY transactions) AS transactions,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY spent) AS spent
    FROM weeks WHERE ago > 1
    GROUP BY workspace_id HAVING count(*) FILTER (WHERE transactions > 0) >= {enough}
),
spread AS ( -- 1.4826 times the median deviation is the standard deviation of what is normally distributed
    SELECT u.workspace_id, u.transactions, u.spent,
           greatest(1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(w.transactions - u.transactions)),
               sqrt(u.transactions), 1) AS transactions_spread,
           greatest(1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(w.spent - u.spent)),
               abs(u.spent) / 10, 1) AS spent_spread
    FROM usual AS u JOIN weeks AS w ON w.workspace_id = u.workspace_id AND w.ago > 1
    GROUP BY u.workspace_id, u.transactions, u.spent
)
SELECT w.workspace_id,
       CASE WHEN abs(w.transactions - s.transactions) > {far} * s.transactions_spread THEN concat(
           'workspace ', w.workspace_id, ': ', w.transactions, ' entries in the week of ', w.week,
           ', usually ', round(s.transactions::numeric)) END AS transactions_drift,
       CASE WHEN abs(w.spent - s.spent) > {far} * s.spent_spread THEN concat(
           'workspace ', w.workspace_id, ': ', round(w.spent, 2), ' spent in the week of ', w.week,
           ', usually ', round(s.spent::numeric, 2)) END AS spending_drift
FROM weeks AS w JOIN spread AS s USING (workspace_id)
WHERE w.ago = 1
