-- The plain upsert of the benchmark: one batch into one table, and the offsets in the same transaction.

-- name: offsets
CREATE TABLE IF NOT EXISTS peer.offsets (partition int PRIMARY KEY, next_offset bigint NOT NULL)

-- name: begin
INSERT INTO peer.offsets (partition, next_offset) VALUES (%s, %s) ON CONFLICT DO NOTHING

-- name: stand
SELECT partition, next_offset FROM peer.offsets

-- name: move
UPDATE peer.offsets SET next_offset = %s WHERE partition = %s AND next_offset = %s

-- name: session
SET enable_seqscan = off;
SET jit = off;
SET work_mem = '64MB';
CREATE TEMP TABLE incoming (
    version int, occurred_on date, occurred_at bigint, recorded_at bigint, partition int, "offset" bigint,
    logged_at timestamptz, category_confidence text, workspace_id uuid, transaction_id uuid, event_id uuid, account_id uuid,
    operation text, kind text, status text, amount text, currency text, merchant text, description text, category_id text,
    category_source text, decided_by text, source text
) ON COMMIT DELETE ROWS;

-- name: copy
COPY incoming FROM STDIN (FORMAT BINARY)

-- name: upsert
-- The last of a batch's versions of a transaction, as a plain upsert of each would leave it.
INSERT INTO peer.transactions (
    workspace_id, transaction_id, event_id, version, operation, kind, status, account_id, occurred_on, amount, currency,
    merchant, description, category_id, category_source, category_confidence, decided_by, source, occurred_at,
    recorded_at, kafka_partition, kafka_offset, logged_at
)
SELECT DISTINCT ON (workspace_id, transaction_id)
    workspace_id, transaction_id, event_id, version, operation, kind, status, account_id, occurred_on, amount::numeric,
    currency, merchant, description, category_id, category_source,
    category_confidence::double precision, decided_by, source, occurred_at, recorded_at, partition, "offset", logged_at
FROM incoming
ORDER BY workspace_id, transaction_id, "offset" DESC
ON CONFLICT (workspace_id, transaction_id) DO UPDATE SET
    event_id = excluded.event_id, version = excluded.version, operation = excluded.operation, kind = excluded.kind,
    status = excluded.status, account_id = excluded.account_id, occurred_on = excluded.occurred_on,
    amount = excluded.amount, currency = excluded.currency, merchant = excluded.merchant,
    description = excluded.description, category_id = excluded.category_id, category_source = excluded.category_source,
    category_confidence = excluded.category_confidence, decided_by = excluded.decided_by, source = excluded.source,
    occurred_at = excluded.occurred_at, recorded_at = excluded.recorded_at, kafka_partition = excluded.kafka_partition,
    kafka_offset = excluded.kafka_offset, logged_at = excluded.logged_at
