-- The statements that merge one batch into the live view. They work on whole sets: `incoming` is what COPY brought,
-- `decided` points to each of its rows and holds the decision. Rows are written in the order of their keys, so that two
-- writers cannot wait for each other in a circle.

-- name: session
-- Each look-up goes through an index, however old the statistics are: the cost of a batch must not grow with the table.
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET jit = off;
SET work_mem = '64MB';
SET TimeZone = 'UTC';
-- They are empty between two batches: `forget` or `empty` ends each. To cut a file short is work for the file system's
-- journal, which waits for what all others write; ON COMMIT DELETE ROWS would do that three times a batch.
CREATE TEMP TABLE incoming (
    is_split boolean, -- a transaction with lines of its own
    topic text, topic_id text, partition int, "offset" bigint, logged_at timestamptz, workspace_id uuid, event_id uuid,
    entity text, entity_id uuid, version int, operation text, actor_id uuid, source text, external_id text,
    correlation_id text, occurred_at timestamptz, recorded_at timestamptz, state jsonb
) WITH (toast_tuple_target = 8160); -- a state is read field by field: it is to lie open
CREATE TEMP TABLE decided (
    row tid, -- of incoming
    topic text, topic_id text, partition int, "offset" bigint, workspace_id uuid, entity text, entity_id uuid,
    is_split boolean, decision text, highest_in_live int, latest boolean
);
CREATE TEMP TABLE changed (
    workspace_id uuid, month date, account_id uuid, category_id text, currency text, kind text, lines int, amount numeric
);

-- name: stand
SELECT topic, topic_id, partition, next_offset FROM live.offsets

-- name: fencings
SELECT topic, partition, fencings FROM live.offsets

-- name: begin_partition
INSERT INTO live.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING

-- name: move
UPDATE live.offsets SET next_offset = %(new)s, updated_at = clock_timestamp()
WHERE topic = %(topic)s AND topic_id = %(topic_id)s AND partition = %(partition)s AND next_offset = %(old)s

-- name: fenced
UPDATE live.offsets SET fencings = fencings + 1
WHERE topic = %(topic)s AND topic_id = %(topic_id)s AND partition = %(partition)s AND next_offset <> %(old)s

-- name: copy
COPY incoming FROM STDIN (FORMAT BINARY)

-- name: known
-- What has come, and what live holds of it: its highest version, and whether the event was seen before.
SELECT i.ctid AS row, i.topic, i.topic_id, i.partition, i."offset", i.workspace_id, i.event_id, i.entity,
       i.entity_id, i.version, i.is_split, current.version AS highest_in_live, sight.found
FROM incoming AS i
LEFT JOIN LATERAL (
    SELECT t.version FROM live.transactions AS t
    WHERE i.entity = 'transaction' AND t.workspace_id = i.workspace_id AND t.transaction_id = i.entity_id
    UNION ALL
    SELECT e.version FROM live.entities AS e
    WHERE i.entity <> 'transaction' AND e.workspace_id = i.workspace_id AND e.entity = i.entity
      AND e.entity_id = i.entity_id
) AS current ON true
LEFT JOIN LATERAL (
    SELECT true AS found FROM live.events AS e
    WHERE current.version IS NOT NULL AND e.workspace_id = i.workspace_id AND e.event_id = i.event_id
      AND e.entity_id = i.entity_id AND e.entity = i.entity AND e.decision <> 'duplicate'
    LIMIT 1
) AS sight ON true

-- name: decide
-- The acceptance rule as two windows: the first sight of each event_id, and the highest version before it. The first
-- event of a thing is always accepted, so where live holds nothing of it, live has seen none of its events.
INSERT INTO decided
WITH known AS ({known}), sighted AS (
    SELECT known.*, found IS TRUE OR row_number() OVER (
        PARTITION BY entity_id, workspace_id, entity, event_id ORDER BY topic_id, partition, "offset"
    ) > 1 AS duplicate
    FROM known
), ranked AS (
    SELECT sighted.*, greatest(highest_in_live, max(version) FILTER (WHERE NOT duplicate) OVER (
        PARTITION BY entity_id, workspace_id, entity ORDER BY topic_id, partition, "offset"
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )) AS highest
    FROM sighted
), judged AS (
    SELECT ranked.*, CASE WHEN duplicate THEN 'duplicate' WHEN version <= highest THEN 'stale' ELSE 'accepted' END
        AS decision
    FROM ranked
)
SELECT row, topic, topic_id, partition, "offset", workspace_id, entity, entity_id, is_split,
       decision, highest_in_live,
       decision = 'accepted' AND version = max(version) FILTER (WHERE decision = 'accepted') OVER (
           PARTITION BY entity_id, workspace_id, entity
       )
FROM judged

-- name: events
INSERT INTO live.events (topic, topic_id, partition, "offset", logged_at, workspace_id, event_id, entity, entity_id,
                         version, operation, actor_id, source, external_id, correlation_id, occurred_at, recorded_at,
                         state, decision)
SELECT i.topic, i.topic_id, i.partition, i."offset", i.logged_at, i.workspace_id, i.event_id, i.entity, i.entity_id,
       i.version, i.operation, i.actor_id, i.source, i.external_id, i.correlation_id, i.occurred_at, i.recorded_at,
       i.state, d.decision
FROM (SELECT row, decision FROM decided ORDER BY {order}) AS d
INNER JOIN incoming AS i ON i.ctid = d.row

-- name: take_away
-- What the totals hold of the transactions that are about to change.
INSERT INTO changed
SELECT p.workspace_id, p.month, p.account_id, p.category_id, p.currency, p.kind, -1, -p.amount
FROM decided AS d
INNER JOIN live.current_parts AS p ON p.workspace_id = d.workspace_id AND p.transaction_id = d.entity_id
WHERE d.latest AND d.highest_in_live IS NOT NULL AND d.entity = 'transaction'

-- name: remove
-- What is to change is written anew; its lines go with it. Only the version that was decided on: where another session has
-- written a later one meanwhile, that stays, writing beside it breaks the key, and the batch is decided on once more.
DELETE FROM live.transactions AS t USING decided AS d
WHERE d.latest AND t.version = d.highest_in_live AND d.entity = 'transaction'
  AND t.workspace_id = d.workspace_id AND t.transaction_id = d.entity_id

-- name: transactions
INSERT INTO live.transactions (
    workspace_id, transaction_id, version, operation, event_id, actor_id, source, external_id, recorded_at,
    topic_id, partition, "offset",
    kind, status, account_id, occurred_on, occurred_at_local, posted_on,
    amount, currency, merchant, description, counterparty,
    category_id, category_source, category_confidence, decided_by, mcc,
    note, tags,
    refund_of, transfer_pair, attachments, import_id
)
SELECT i.workspace_id, i.entity_id, i.version, i.operation, i.event_id, i.actor_id, i.source, i.external_id,
       i.recorded_at, i.topic_id, i.partition, i."offset",
       state ->> 'kind', state ->> 'status', (state ->> 'account_id')::uuid, (state ->> 'occurred_on')::date,
       (state ->> 'occurred_at_local')::timestamp, (state ->> 'posted_on')::date,
       (state ->> 'amount')::numeric, state ->> 'currency', state ->> 'merchant', state ->> 'description',
       state ->> 'counterparty',
       state ->> 'category_id', state ->> 'category_source', (state ->> 'category_confidence')::double precision,
       state ->> 'decided_by', state ->> 'mcc',
       state ->> 'note',
       CASE WHEN state -> 'tags' = '[]' THEN '{}' ELSE ARRAY(SELECT jsonb_array_elements_text(state -> 'tags')) END,
       (state ->> 'refund_of')::uuid, (state ->> 'transfer_pair')::uuid, state -> 'attachments',
       (state ->> 'import_id')::uuid
FROM (SELECT row FROM decided WHERE latest AND entity = 'transaction' ORDER BY workspace_id, entity_id) AS d
INNER JOIN incoming AS i ON i.ctid = d.row

-- name: add
-- The transactions, and what the totals are to hold of them from now on: a part each, as live.current_parts has it. What
-- has lines is added when they are there.
WITH written AS (
    {transactions}
    RETURNING workspace_id, transaction_id, date_trunc('month', occurred_on::timestamp)::date AS month, account_id,
              coalesce(category_id, 'uncategorised') AS category_id, currency, kind, amount, operation
)
INSERT INTO changed
SELECT workspace_id, month, account_id, category_id, currency, kind, 1, amount
FROM written
WHERE operation <> 'voided'
  AND (workspace_id, transaction_id) NOT IN (SELECT workspace_id, entity_id FROM decided WHERE latest AND is_split)

-- name: lines
INSERT INTO live.transaction_lines (workspace_id, transaction_id, line_no, line_id, category_id, amount, note)
SELECT i.workspace_id, i.entity_id, line.line_no, own.line_id, own.category_id, own.amount, own.note
FROM (SELECT row FROM decided WHERE latest AND is_split ORDER BY workspace_id, entity_id) AS d
INNER JOIN incoming AS i ON i.ctid = d.row
CROSS JOIN LATERAL jsonb_array_elements(i.state -> 'lines') WITH ORDINALITY AS line (state, line_no)
CROSS JOIN LATERAL jsonb_to_record(line.state) AS own (line_id uuid, category_id text, amount numeric, note text)

-- name: add_lines
INSERT INTO changed
SELECT p.workspace_id, p.month, p.account_id, p.category_id, p.currency, p.kind, 1, p.amount
FROM decided AS d
INNER JOIN live.current_parts AS p ON p.workspace_id = d.workspace_id AND p.transaction_id = d.entity_id
WHERE d.latest AND d.is_split

-- name: totals
INSERT INTO live.monthly_totals AS t (workspace_id, month, account_id, category_id, currency, kind, lines, amount)
SELECT workspace_id, month, account_id, category_id, currency, kind, sum(lines), sum(amount)
FROM changed
GROUP BY workspace_id, month, account_id, category_id, currency, kind
HAVING sum(lines) <> 0 OR sum(amount) <> 0
ORDER BY workspace_id, month, account_id, category_id, currency, kind
ON CONFLICT (workspace_id, month, account_id, category_id, currency, kind) DO UPDATE SET
    lines = t.lines + excluded.lines, amount = t.amount + excluded.amount

-- name: remove_entities
DELETE FROM live.entities AS e USING decided AS d
WHERE d.latest AND e.version = d.highest_in_live AND d.entity <> 'transaction'
  AND e.workspace_id = d.workspace_id AND e.entity = d.entity AND e.entity_id = d.entity_id

-- name: entities
INSERT INTO live.entities (workspace_id, entity, entity_id, version, operation, state, event_id, actor_id, recorded_at,
                           topic_id, partition, "offset")
SELECT i.workspace_id, i.entity, i.entity_id, i.version, i.operation, i.state, i.event_id, i.actor_id, i.recorded_at,
       i.topic_id, i.partition, i."offset"
FROM (SELECT row FROM decided WHERE latest AND entity <> 'transaction' ORDER BY workspace_id, entity, entity_id) AS d
INNER JOIN incoming AS i ON i.ctid = d.row

-- name: notify
-- Tells those who listen, and gives back what was decided.
SELECT topic, count(*) FILTER (WHERE decision = 'accepted') AS accepted,
       count(*) FILTER (WHERE decision = 'duplicate') AS duplicate, count(*) FILTER (WHERE decision = 'stale') AS stale,
       pg_notify('outlay_live', json_build_object(
           'workspace_id', workspace_id, 'topic', topic, 'partition', partition, 'offset', max("offset"))::text)
FROM decided GROUP BY workspace_id, topic, partition

-- name: forget
-- For a few rows. They stay in their pages, to be passed over, until `empty`.
WITH incoming_gone AS (DELETE FROM incoming), decided_gone AS (DELETE FROM decided) DELETE FROM changed

-- name: empty
TRUNCATE incoming, decided, changed

-- name: dead_letter
INSERT INTO live.dead_letters (topic, topic_id, partition, "offset", logged_at, key, value, headers, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
