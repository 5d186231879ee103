-- What a bulk load does differently from the projector's merge, whose statements it uses.

-- name: session
-- A whole partition is one batch: the planner chooses for its size, and nobody waits for its transaction.
SET enable_seqscan = on;
SET work_mem = '256MB';
SET temp_buffers = '512MB';
SET transaction_timeout = 0;

-- name: known
-- The tables are empty, and the events of a thing stand in one partition: nothing is known of any.
SELECT i.ctid AS row, i.topic, i.topic_id, i.partition, i."offset", i.workspace_id, i.event_id, i.entity,
       i.entity_id, i.version, i.is_split, NULL::int AS highest_in_live, NULL::boolean AS found
FROM incoming AS i

-- name: begin_partition
INSERT INTO replay.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, 0)

-- name: move
UPDATE replay.offsets SET next_offset = %s WHERE topic = %s AND partition = %s

-- name: next_blocks
SELECT pg_relation_size('replay.events') / current_setting('block_size')::int,
       pg_relation_size('replay.transactions') / current_setting('block_size')::int

-- name: mark_events
-- Whoever first reads a row after its commit notes on its page that it is committed. Done before the next checkpoint,
-- that costs nothing; afterwards, when an index is built, it would write each page to the log once more.
SELECT count(*) FROM replay.events WHERE ctid >= %s

-- name: mark_transactions
SELECT count(*) FROM replay.transactions WHERE ctid >= %s

-- name: totals
INSERT INTO replay.monthly_totals (workspace_id, month, account_id, category_id, currency, kind, lines, amount)
SELECT workspace_id, month, account_id, category_id, currency, kind, count(*), sum(amount)
FROM replay.current_parts
GROUP BY workspace_id, month, account_id, category_id, currency, kind
