-- page: dashboard
-- grain: one month, category and account with spending, in the workspace's currency
-- parameters: first_month, month_after, day, summed
--
-- From the sums of the days, or, while a build has not brought them up to date (`summed` is false), from what they are
-- the sums of. `to_day`: of the month's days up to `day`.
SELECT
    date_trunc('month', s.occurred_on)::date AS month,
    s.category_id,
    s.account_id,
    max(s.workspace_currency) AS currency,
    coalesce(sum(s.amount_converted), 0) AS spent,
    coalesce(sum(s.amount_converted) FILTER (WHERE extract(DAY FROM s.occurred_on) <= %(day)s), 0) AS to_day
FROM (
    SELECT d.occurred_on, d.category_id, d.account_id, d.workspace_currency, d.amount_converted
    FROM gold.fct_daily_spend AS d
    WHERE
        %(summed)s
        AND d.workspace_id = live.current_workspace()
        AND d.occurred_on >= %(first_month)s
        AND d.occurred_on < %(month_after)s
    UNION ALL
    SELECT f.occurred_on, f.category_id, f.account_id, f.workspace_currency, f.amount_converted
    FROM gold.fct_transactions AS f
    WHERE
        NOT %(summed)s
        AND f.workspace_id = live.current_workspace()
        AND f.occurred_on >= %(first_month)s
        AND f.occurred_on < %(month_after)s
        AND f.kind IN ('expense', 'refund')
) AS s
GROUP BY month, s.category_id, s.account_id
