-- The table that peers upsert into: the fields that the benchmark's purchases fill, and the message's place.

-- name: table
CREATE SCHEMA peer;
CREATE TABLE peer.transactions (
    workspace_id        uuid          NOT NULL,
    transaction_id      uuid          NOT NULL,
    event_id            uuid          NOT NULL,
    version             int           NOT NULL,
    operation           text          NOT NULL,
    kind                text          NOT NULL,
    status              text          NOT NULL,
    account_id          uuid          NOT NULL,
    occurred_on         date          NOT NULL,
    amount              numeric(18,4) NOT NULL,
    currency            text          NOT NULL,
    merchant            text,
    description         text,
    category_id         text,
    category_source     text          NOT NULL,
    category_confidence double precision,
    decided_by          text,
    source              text          NOT NULL,
    occurred_at         bigint        NOT NULL, -- microseconds since 1970
    recorded_at         bigint        NOT NULL,
    kafka_partition     int           NOT NULL,
    kafka_offset        bigint        NOT NULL,
    logged_at           timestamptz   NOT NULL,
    PRIMARY KEY (workspace_id, transaction_id)
)
