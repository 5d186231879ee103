-- The parts of all current transactions: its lines, or the transaction itself where it has none. What is void counts
-- nowhere. Totals are kept, and recounted, from this one definition.
CREATE VIEW live.current_parts WITH (security_invoker = true) AS
    SELECT t.workspace_id, t.transaction_id, date_trunc('month', t.occurred_on::timestamp)::date AS month, t.kind,
           t.currency, t.account_id,
           coalesce(CASE WHEN l.line_id IS NULL THEN t.category_id ELSE l.category_id END, 'uncategorised') AS category_id,
           coalesce(l.amount, t.amount) AS amount
    FROM live.transactions AS t
    LEFT JOIN live.transaction_lines AS l ON l.workspace_id = t.workspace_id AND l.transaction_id = t.transaction_id
    WHERE t.operation <> 'voided';

-- Grain: one month, account, category, currency and kind. A member's total is that of the accounts they own. A cell
-- that empties stays, with 0 lines. Rows change often and their keys never do: the free space keeps updates in the page.
CREATE TABLE live.monthly_totals (
    workspace_id uuid    NOT NULL,
    month        date    NOT NULL CHECK (extract(day FROM month) = 1),
    account_id   uuid    NOT NULL,
    category_id  text    NOT NULL, -- 'uncategorised' where a part has none
    currency     text    NOT NULL,
    kind         text    NOT NULL,
    lines        bigint  NOT NULL,
    amount       numeric NOT NULL, -- of any size: a sum may need more digits than its parts
    PRIMARY KEY (workspace_id, month, account_id, category_id, currency, kind)
) WITH (fillfactor = 50);

INSERT INTO live.monthly_totals (workspace_id, month, account_id, category_id, currency, kind, lines, amount)
SELECT workspace_id, month, account_id, category_id, currency, kind, count(*), sum(amount)
FROM live.current_parts
GROUP BY workspace_id, month, account_id, category_id, currency, kind;

GRANT SELECT ON live.current_parts, live.monthly_totals TO outlay_projector, outlay_pipeline, outlay_dbt, outlay_app;
GRANT INSERT, UPDATE, DELETE ON live.monthly_totals TO outlay_projector;

ALTER TABLE live.monthly_totals ENABLE ROW LEVEL SECURITY;
ALTER TABLE live.monthly_totals FORCE ROW LEVEL SECURITY;
CREATE POLICY own_workspace ON live.monthly_totals FOR SELECT TO outlay_app
    USING (workspace_id = (SELECT live.current_workspace()));
