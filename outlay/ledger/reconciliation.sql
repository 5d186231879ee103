-- Live and gold as of the same place of the log. Each statement runs in one snapshot, after the one above it.

-- name: since
-- The batch up to which all was found the same before, of facts that were not made anew since; 0 when everything is due again.
SELECT coalesce(max(r.batch_id), 0) AS since
FROM gold.progress AS p
INNER JOIN gold.reconciled AS r ON r.made = p.made AND r.batch_id <= p.batch_id
WHERE p.model = 'fct_transactions'
  AND (SELECT max(w.at) FROM gold.reconciled AS w WHERE w.made = p.made AND w.was_whole) > now() - %(whole_every)s

-- name: touched
-- The transactions of which the batches since then hold an event.
CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
SELECT e.workspace_id, e.transaction_id
FROM silver.transaction_events AS e
INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND e.batch_id <= p.batch_id
WHERE e.batch_id > %(since)s
UNION
SELECT q.workspace_id, q.entity_id
FROM silver.quarantine AS q
INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND q.batch_id <= p.batch_id
WHERE q.batch_id > %(since)s AND q.topic = 'transaction' AND q.workspace_id IS NOT NULL AND q.entity_id IS NOT NULL

-- name: not_as_written_once
-- The transactions that a comparison of the sums of whole workspaces leaves out, since the layers hold more of them than
-- the one event that all agree on: those with several events, with one in quarantine, and what live has changed since.
CREATE TEMPORARY TABLE touched ON COMMIT DROP AS
SELECT e.workspace_id, e.transaction_id
FROM silver.transaction_events AS e
INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND e.batch_id <= p.batch_id
WHERE e.version > 1 OR e.decision <> 'accepted'
UNION
SELECT q.workspace_id, q.entity_id
FROM silver.quarantine AS q
INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND q.batch_id <= p.batch_id
WHERE q.topic = 'transaction' AND q.workspace_id IS NOT NULL AND q.entity_id IS NOT NULL
UNION
SELECT workspace_id, transaction_id FROM changed_since

-- name: sums
-- Of all others, count and sum of what each line, each event and each event's line hashes to, by workspace and layer.
-- A record's hash is linear in those of its columns, and would keep the sum when two rows exchange a value: so it is
-- hashed once more. A number's hash leaves out the sign: so that stands beside it.
CREATE TEMPORARY TABLE sums ON COMMIT DROP AS
WITH live AS (
    SELECT t.workspace_id, t.operation = 'voided' AS is_voided, coalesce(l.line_no, 1) = 1 AS is_first,
           hashtextextended(hash_record_extended((
               t.transaction_id, c.line_id, t.version, t.kind, t.status, t.occurred_on, t.account_id, t.merchant, t.currency,
               c.category_id, c.amount, c.amount < 0
           ), 0)::text, 0) AS fact,
           hashtextextended(hash_record_extended((
               t.topic_id, t.partition, t."offset", t.transaction_id, t.version, t.kind, t.status, t.occurred_on, t.account_id,
               t.merchant, t.currency
           ), 0)::text, 0) AS event,
           hashtextextended(hash_record_extended((
               t.topic_id, t.partition, t."offset", t.transaction_id, c.line_id, c.category_id, c.amount, c.amount < 0
           ), 0)::text, 0) AS line
    FROM live.transactions AS t
    LEFT JOIN live.transaction_lines AS l ON l.workspace_id = t.workspace_id AND l.transaction_id = t.transaction_id
    CROSS JOIN LATERAL (
        SELECT coalesce(l.line_id, t.transaction_id), coalesce(l.amount, t.amount),
               coalesce(CASE WHEN l.line_id IS NULL THEN t.category_id ELSE l.category_id END, 'uncategorised')
    ) AS c (line_id, amount, category_id)
    WHERE NOT EXISTS (SELECT FROM touched AS o WHERE o.workspace_id = t.workspace_id AND o.transaction_id = t.transaction_id)
),

live_sums AS (
    SELECT workspace_id, count(*) FILTER (WHERE is_first AND NOT is_voided) AS transactions,
           (count(*) FILTER (WHERE NOT is_voided), sum(fact) FILTER (WHERE NOT is_voided)) AS facts,
           (count(*) FILTER (WHERE is_first), sum(event) FILTER (WHERE is_first)) AS events,
           (count(*), sum(line)) AS lines
    FROM live GROUP BY workspace_id
),

gold_sums AS (
    SELECT f.workspace_id,
           (count(*), sum(hashtextextended(hash_record_extended((
               f.transaction_id, f.line_id, f.version, f.kind, f.status, f.occurred_on, f.account_id, f.merchant, f.currency,
               f.category_id, f.amount, f.amount < 0
           ), 0)::text, 0))) AS facts
    FROM gold.fct_transactions AS f
    WHERE NOT EXISTS (SELECT FROM touched AS o WHERE o.workspace_id = f.workspace_id AND o.transaction_id = f.transaction_id)
    GROUP BY f.workspace_id
),

event_sums AS (
    SELECT e.workspace_id,
           (count(*), sum(hashtextextended(hash_record_extended((
               e.topic_id, e.partition, e."offset", e.transaction_id, e.version, e.kind, e.status, e.occurred_on, e.account_id,
               e.merchant, e.currency
           ), 0)::text, 0))) AS events
    FROM silver.transaction_events AS e
    INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND e.batch_id <= p.batch_id
    WHERE NOT EXISTS (SELECT FROM touched AS o WHERE o.workspace_id = e.workspace_id AND o.transaction_id = e.transaction_id)
    GROUP BY e.workspace_id
),

line_sums AS (
    SELECT s.workspace_id,
           (count(*), sum(hashtextextended(hash_record_extended((
               s.topic_id, s.partition, s."offset", s.transaction_id, s.line_id, coalesce(s.category_id, 'uncategorised'), s.amount,
               s.amount < 0
           ), 0)::text, 0))) AS lines
    FROM silver.transaction_lines AS s
    INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND s.batch_id <= p.batch_id
    WHERE NOT EXISTS (SELECT FROM touched AS o WHERE o.workspace_id = s.workspace_id AND o.transaction_id = s.transaction_id)
    GROUP BY s.workspace_id
)

SELECT workspace_id, coalesce(l.transactions, 0) AS transactions,
       coalesce(l.facts, (0::bigint, null::numeric)) IS NOT DISTINCT FROM coalesce(g.facts, (0::bigint, null::numeric))
       AND l.events IS NOT DISTINCT FROM e.events AND l.lines IS NOT DISTINCT FROM s.lines AS are_equal
FROM live_sums AS l
FULL JOIN gold_sums AS g USING (workspace_id)
FULL JOIN event_sums AS e USING (workspace_id)
FULL JOIN line_sums AS s USING (workspace_id)

-- name: of_differing_workspaces
-- All transactions of a workspace whose sums differ: the one at fault is among them.
INSERT INTO touched (workspace_id, transaction_id)
SELECT t.workspace_id, t.transaction_id FROM live.transactions AS t INNER JOIN sums AS s USING (workspace_id) WHERE NOT s.are_equal
UNION
SELECT f.workspace_id, f.transaction_id FROM gold.fct_transactions AS f INNER JOIN sums AS s USING (workspace_id) WHERE NOT s.are_equal
EXCEPT
SELECT workspace_id, transaction_id FROM touched

-- name: months_touched
-- The months that one of them was ever entered under: the rest of a month is recounted with it.
CREATE TEMPORARY TABLE months_touched ON COMMIT DROP AS
SELECT DISTINCT e.workspace_id, date_trunc('month', e.occurred_on::timestamp)::date AS month
FROM touched
INNER JOIN silver.transaction_events AS e USING (workspace_id, transaction_id)

-- name: months_of_what_was_touched
CREATE TEMPORARY VIEW parts_looked_at AS
SELECT p.*
FROM months_touched AS m
INNER JOIN live.transactions AS d
    ON d.workspace_id = m.workspace_id AND d.occurred_on >= m.month AND d.occurred_on < m.month + interval '1 month'
INNER JOIN live.current_parts AS p ON p.workspace_id = d.workspace_id AND p.transaction_id = d.transaction_id;
CREATE TEMPORARY VIEW totals_looked_at AS
SELECT t.* FROM live.monthly_totals AS t INNER JOIN months_touched USING (workspace_id, month)

-- name: all_months
CREATE TEMPORARY VIEW parts_looked_at AS SELECT * FROM live.current_parts;
CREATE TEMPORARY VIEW totals_looked_at AS SELECT * FROM live.monthly_totals

-- name: what_was_touched
CREATE TEMPORARY VIEW transactions_looked_at AS
SELECT t.* FROM live.transactions AS t INNER JOIN touched USING (workspace_id, transaction_id);
CREATE TEMPORARY VIEW facts_looked_at AS
SELECT f.* FROM gold.fct_transactions AS f INNER JOIN touched USING (workspace_id, transaction_id)

-- name: held
INSERT INTO gold.reconciled (batch_id, made, was_whole)
SELECT batch_id, made, %(since)s = 0 FROM gold.progress WHERE model = 'fct_transactions'

-- name: reached
-- How far gold has come in each partition: the end of the files whose batches are in the facts.
CREATE TEMPORARY TABLE reached ON COMMIT DROP AS
SELECT f.topic_id, f.partition, max(f.last_offset) + 1 AS next_offset
FROM gold.progress AS p
INNER JOIN silver.batch_files AS b ON b.batch_id <= p.batch_id
INNER JOIN bronze.files AS f ON f.file_id = b.file_id
WHERE p.model = 'fct_transactions' AND f.topic = 'transaction'
GROUP BY f.topic_id, f.partition

-- name: behind
-- The partitions where live has not come as far yet.
SELECT r.partition, r.next_offset, coalesce(o.next_offset, 0) AS live_next_offset
FROM reached AS r
LEFT JOIN live.offsets AS o ON o.topic = 'transaction' AND o.topic_id = r.topic_id AND o.partition = r.partition
WHERE coalesce(o.next_offset, 0) < r.next_offset

-- name: changed_since
-- What live has changed since.
CREATE TEMPORARY VIEW changed_since AS
SELECT t.workspace_id, t.transaction_id
FROM live.transactions AS t
LEFT JOIN reached AS r ON r.topic_id = t.topic_id AND r.partition = t.partition
WHERE t."offset" >= coalesce(r.next_offset, 0)

-- name: newer
CREATE TEMPORARY TABLE newer ON COMMIT DROP AS
SELECT workspace_id, transaction_id FROM changed_since INNER JOIN touched USING (workspace_id, transaction_id)

-- name: live
-- Live as of there, line by line. What live has changed since is looked up in its history.
CREATE TEMPORARY TABLE live_lines ON COMMIT DROP AS
WITH earlier AS (
    SELECT DISTINCT ON (e.workspace_id, e.entity_id) e.*
    FROM newer AS n
    INNER JOIN live.events AS e ON e.workspace_id = n.workspace_id AND e.entity_id = n.transaction_id
    INNER JOIN reached AS r ON r.topic_id = e.topic_id AND r.partition = e.partition AND e."offset" < r.next_offset
    WHERE e.topic = 'transaction' AND e.decision = 'accepted'
    ORDER BY e.workspace_id, e.entity_id, e.version DESC
)

SELECT t.workspace_id, t.transaction_id, t.topic_id, t.partition, t."offset", t.operation = 'voided' AS is_voided,
       t.version, t.kind, t.status, t.occurred_on, t.account_id, t.merchant, t.currency,
       coalesce(l.line_no, 1) AS line_no, coalesce(l.line_id, t.transaction_id) AS line_id,
       coalesce(CASE WHEN l.line_id IS NULL THEN t.category_id ELSE l.category_id END, 'uncategorised') AS category_id,
       coalesce(l.amount, t.amount) AS amount
FROM transactions_looked_at AS t
INNER JOIN reached AS r ON r.topic_id = t.topic_id AND r.partition = t.partition AND t."offset" < r.next_offset
LEFT JOIN live.transaction_lines AS l ON l.workspace_id = t.workspace_id AND l.transaction_id = t.transaction_id
UNION ALL
SELECT e.workspace_id, e.entity_id, e.topic_id, e.partition, e."offset", e.operation = 'voided',
       e.version, own.kind, own.status, own.occurred_on, own.account_id, own.merchant, own.currency,
       coalesce(l.line_no, 1), coalesce(l.line_id, e.entity_id),
       coalesce(CASE WHEN l.line_id IS NULL THEN own.category_id ELSE l.category_id END, 'uncategorised'),
       coalesce(l.amount, own.amount)
FROM earlier AS e
CROSS JOIN LATERAL jsonb_to_record(e.state) AS own (
    kind text, status text, occurred_on date, account_id uuid, merchant text, currency text, category_id text,
    amount numeric, lines jsonb
)
LEFT JOIN LATERAL ROWS FROM (jsonb_to_recordset(own.lines) AS (line_id uuid, category_id text, amount numeric))
    WITH ORDINALITY AS l (line_id, category_id, amount, line_no) ON true

-- name: quarantined
-- Transactions whose state in live is one that silver set aside: gold keeps the state before it, if any.
CREATE TEMPORARY TABLE quarantined ON COMMIT DROP AS
SELECT DISTINCT l.workspace_id, l.transaction_id
FROM silver.quarantine_states AS q
INNER JOIN gold.progress AS p ON p.model = 'fct_transactions' AND q.batch_id <= p.batch_id
INNER JOIN live_lines AS l ON l.topic_id = q.topic_id AND l.partition = q.partition AND l."offset" = q."offset"
WHERE q.topic = 'transaction' AND (q.released_in_batch IS NULL OR q.released_in_batch > p.batch_id)

-- name: set_aside
DELETE FROM live_lines AS l USING quarantined AS q
WHERE l.workspace_id = q.workspace_id AND l.transaction_id = q.transaction_id

-- name: gold
CREATE TEMPORARY TABLE gold_lines ON COMMIT DROP AS
SELECT f.workspace_id, f.transaction_id, f.line_id, f.version, f.kind, f.status, f.occurred_on, f.account_id, f.merchant,
       f.currency, f.category_id, f.amount, f.transaction_amount
FROM facts_looked_at AS f
WHERE NOT EXISTS (
    SELECT FROM quarantined AS q WHERE q.workspace_id = f.workspace_id AND q.transaction_id = f.transaction_id
)

-- name: differing
-- Transactions of which a line differs between live and gold, or between live and silver.
SELECT coalesce(l.workspace_id, g.workspace_id) AS workspace_id, coalesce(l.transaction_id, g.transaction_id) AS transaction_id
FROM (SELECT * FROM live_lines WHERE NOT is_voided) AS l
FULL JOIN gold_lines AS g USING (workspace_id, transaction_id, line_id)
WHERE (l.version, l.kind, l.status, l.occurred_on, l.account_id, l.merchant, l.currency, l.category_id, l.amount)
    IS DISTINCT FROM
    (g.version, g.kind, g.status, g.occurred_on, g.account_id, g.merchant, g.currency, g.category_id, g.amount)
UNION
SELECT l.workspace_id, l.transaction_id
FROM live_lines AS l
LEFT JOIN silver.transaction_events AS e
    ON e.workspace_id = l.workspace_id AND e.topic_id = l.topic_id AND e.partition = l.partition AND e."offset" = l."offset"
LEFT JOIN silver.transaction_lines AS s
    ON s.workspace_id = l.workspace_id AND s.topic_id = l.topic_id AND s.partition = l.partition AND s."offset" = l."offset"
    AND s.line_id = l.line_id
WHERE (l.version, l.kind, l.status, l.occurred_on, l.account_id, l.merchant, l.currency, l.category_id, l.amount)
    IS DISTINCT FROM
    (e.version, e.kind, e.status, e.occurred_on, e.account_id, e.merchant, e.currency, coalesce(s.category_id, 'uncategorised'), s.amount)

-- name: cells
-- Count and sum by workspace, currency, month and category, where live and gold do not agree.
WITH live AS (
    SELECT workspace_id, currency, date_trunc('month', occurred_on::timestamp)::date AS month, category_id,
           count(*) AS lines, sum(amount) AS amount
    FROM live_lines WHERE NOT is_voided GROUP BY 1, 2, 3, 4
),

gold AS (
    SELECT workspace_id, currency, date_trunc('month', occurred_on::timestamp)::date AS month, category_id,
           count(*) AS lines, sum(amount) AS amount
    FROM gold_lines GROUP BY 1, 2, 3, 4
)

SELECT workspace_id, currency, month, category_id, coalesce(live.lines, 0) AS live_lines, coalesce(live.amount, 0) AS live_amount,
       coalesce(gold.lines, 0) AS gold_lines, coalesce(gold.amount, 0) AS gold_amount
FROM live
FULL JOIN gold USING (workspace_id, currency, month, category_id)
WHERE (live.lines, live.amount) IS DISTINCT FROM (gold.lines, gold.amount)
ORDER BY workspace_id, currency, month, category_id

-- name: totals
-- Cells of live's monthly totals where a recount of its transactions, of the same snapshot, comes to something else.
WITH recount AS (
    SELECT workspace_id, month, account_id, category_id, currency, kind, count(*) AS lines, sum(amount) AS amount
    FROM parts_looked_at
    GROUP BY workspace_id, month, account_id, category_id, currency, kind
)

SELECT workspace_id, month, account_id, category_id, currency, kind,
       coalesce(t.lines, 0) AS kept_lines, coalesce(t.amount, 0) AS kept_amount,
       coalesce(r.lines, 0) AS lines, coalesce(r.amount, 0) AS amount
FROM totals_looked_at AS t
FULL JOIN recount AS r USING (workspace_id, month, account_id, category_id, currency, kind)
WHERE (coalesce(t.lines, 0), coalesce(t.amount, 0)) <> (coalesce(r.lines, 0), coalesce(r.amount, 0))
ORDER BY workspace_id, month, account_id, category_id, currency, kind

-- name: equal_by_sum
SELECT coalesce(sum(transactions), 0)::bigint FROM sums WHERE are_equal

-- name: figures
SELECT (SELECT batch_id FROM gold.progress WHERE model = 'fct_transactions') AS batch_id,
       (SELECT count(*) FROM live_lines WHERE NOT is_voided AND line_no = 1) AS live,
       (SELECT count(*) FROM (SELECT DISTINCT workspace_id, transaction_id FROM gold_lines) AS g) AS gold,
       (SELECT count(*) FROM quarantined) AS quarantined

-- name: state_live
SELECT l.version, l.is_voided, l.kind, l.status, l.occurred_on, l.account_id, l.merchant, l.currency,
       l.line_id, l.category_id, l.amount
FROM live_lines AS l
WHERE l.workspace_id = %(workspace_id)s AND l.transaction_id = %(transaction_id)s

-- name: state_silver
SELECT e.version, e.operation = 'voided' AS is_voided, e.kind, e.status, e.occurred_on, e.account_id, e.merchant, e.currency,
       s.line_id, coalesce(s.category_id, 'uncategorised') AS category_id, s.amount
FROM silver.transaction_events AS e
LEFT JOIN silver.transaction_lines AS s
    ON s.workspace_id = e.workspace_id AND s.topic_id = e.topic_id AND s.partition = e.partition AND s."offset" = e."offset"
WHERE e.workspace_id = %(workspace_id)s AND e.topic_id = %(topic_id)s AND e.partition = %(partition)s AND e."offset" = %(offset)s

-- name: state_gold
SELECT g.version, false AS is_voided, g.kind, g.status, g.occurred_on, g.account_id, g.merchant, g.currency,
       g.line_id, g.category_id, g.amount
FROM gold_lines AS g
WHERE g.workspace_id = %(workspace_id)s AND g.transaction_id = %(transaction_id)s

-- name: place
-- Where the transaction's current event stands in the log, as live says; or gold, where live has no such transaction.
SELECT topic_id, partition, "offset" FROM live_lines
WHERE workspace_id = %(workspace_id)s AND transaction_id = %(transaction_id)s
UNION ALL
SELECT topic_id, log_partition, log_offset FROM intermediate.int_transactions_current
WHERE workspace_id = %(workspace_id)s AND transaction_id = %(transaction_id)s
LIMIT 1
