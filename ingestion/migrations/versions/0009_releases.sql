-- Transaction events that break a rule and count nevertheless, because somebody said so. Nothing here names a
-- batch: an event that stands among the good ones has been released, and making silver anew releases it again.
CREATE TABLE silver.releases (
    topic_id    text        NOT NULL,
    partition   int         NOT NULL,
    "offset"    bigint      NOT NULL,
    rules       text[]      NOT NULL CHECK (rules <> '{}'), -- that the event may break
    reason      text        NOT NULL,
    released_by text        NOT NULL,
    released_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic_id, partition, "offset")
);
GRANT SELECT, INSERT, UPDATE, DELETE, MAINTAIN ON silver.releases TO outlay_pipeline;

-- The quarantine, with the batch that published the event nevertheless; null while none has.
CREATE VIEW silver.quarantine_states AS
    SELECT q.batch_id, q.topic, q.topic_id, q.partition, q."offset", q.workspace_id, q.entity_id, q.event_id, q.version,
           q.rule, q.detail, q.row, q.quarantined_at, released.batch_id AS released_in_batch
    FROM silver.quarantine AS q
    LEFT JOIN silver.transaction_events AS released
        ON released.workspace_id = q.workspace_id AND released.topic_id = q.topic_id
        AND released.partition = q.partition AND released."offset" = q."offset";
GRANT SELECT ON silver.quarantine_states TO outlay_pipeline, outlay_dbt;
