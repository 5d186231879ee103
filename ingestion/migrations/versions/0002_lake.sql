-- Bronze: the manifest. A file counts when its row is here, and not before.
CREATE SCHEMA bronze;
GRANT USAGE ON SCHEMA bronze TO outlay_pipeline, outlay_dbt;

CREATE TABLE bronze.files (
    file_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text        NOT NULL,
    topic_id     text        NOT NULL,
    partition    int         NOT NULL,
    first_offset bigint      NOT NULL,
    last_offset  bigint      NOT NULL CHECK (last_offset >= first_offset),
    kind         text        NOT NULL CHECK (kind IN ('events', 'unreadable')),
    schema_id    int, -- the one writer schema of an events file
    ingest_date  date        NOT NULL, -- of the broker's timestamps, UTC
    path         text        NOT NULL UNIQUE, -- below the lake's root
    rows         bigint      NOT NULL CHECK (rows > 0),
    bytes        bigint      NOT NULL,
    sha256       text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic_id, partition, first_offset, kind)
);

-- Where landing stands; moved with a compare-and-set in the transaction that names the files.
CREATE TABLE bronze.offsets (
    topic       text        NOT NULL,
    topic_id    text        NOT NULL,
    partition   int         NOT NULL,
    next_offset bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, topic_id, partition)
);

-- Silver: one row a published batch; what is not named here does not exist.
CREATE SCHEMA silver;
GRANT USAGE ON SCHEMA silver TO outlay_pipeline, outlay_dbt;

-- batch_id grows in the order of publication: publishing holds an advisory lock.
CREATE TABLE silver.batches (
    batch_id         bigint      PRIMARY KEY,
    topic            text        NOT NULL,
    path             text        NOT NULL, -- the batch's Parquet below the lake's root
    rows_read        bigint      NOT NULL, -- bronze rows
    rows_published   bigint      NOT NULL,
    rows_quarantined bigint      NOT NULL,
    run_id           text,
    published_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE SEQUENCE silver.batch_ids OWNED BY silver.batches.batch_id;

-- What Spark has written and nobody has published yet. The next staging of the topic replaces it.
CREATE TABLE silver.staged (
    path             text        PRIMARY KEY, -- below the lake's root
    topic            text        NOT NULL,
    file_ids         bigint[]    NOT NULL, -- the bronze files it was made of
    rows_read        bigint      NOT NULL,
    events           bigint, -- null until the Parquet is complete
    rows_quarantined bigint, -- events that broke a rule
    passed           boolean, -- null until audited; only what passed is published
    run_id           text,
    staged_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE silver.batch_files (
    file_id  bigint PRIMARY KEY REFERENCES bronze.files, -- a file is processed once
    batch_id bigint NOT NULL REFERENCES silver.batches
);

-- Every readable, valid event, with the decision within its batch. Grain: one event at one place of the log.
CREATE TABLE silver.transaction_events (
    batch_id            bigint        NOT NULL REFERENCES silver.batches,
    workspace_id        uuid          NOT NULL,
    topic_id            text          NOT NULL,
    partition           int           NOT NULL,
    "offset"            bigint        NOT NULL,
    logged_at           timestamptz   NOT NULL,
    event_id            uuid          NOT NULL,
    transaction_id      uuid          NOT NULL,
    version             int           NOT NULL,
    operation           text          NOT NULL,
    decision            text          NOT NULL CHECK (decision IN ('accepted', 'duplicate', 'stale')),
    kind                text          NOT NULL,
    status              text          NOT NULL,
    account_id          uuid          NOT NULL,
    occurred_on         date          NOT NULL,
    occurred_at_local   timestamp,
    posted_on           date,
    amount              numeric(18,4) NOT NULL,
    currency            text          NOT NULL,
    merchant            text,
    description         text,
    counterparty        text,
    category_id         text,
    category_source     text          NOT NULL,
    category_confidence double precision,
    decided_by          text,
    mcc                 text,
    note                text,
    tags                jsonb         NOT NULL,
    refund_of           uuid,
    transfer_pair       uuid,
    import_id           uuid,
    actor_id            uuid,
    source              text          NOT NULL,
    external_id         text,
    correlation_id      text,
    occurred_at         timestamptz   NOT NULL,
    recorded_at         timestamptz   NOT NULL,
    PRIMARY KEY (workspace_id, topic_id, partition, "offset"),
    CHECK (kind <> 'expense' OR amount >= 0),
    CHECK (kind NOT IN ('refund', 'income') OR amount <= 0)
);
CREATE INDEX transaction_events_batch ON silver.transaction_events (batch_id);
CREATE INDEX transaction_events_key ON silver.transaction_events (workspace_id, transaction_id);

-- The parts of each event, at least one, which sum to its amount. Grain: one line of one event.
CREATE TABLE silver.transaction_lines (
    batch_id           bigint        NOT NULL REFERENCES silver.batches,
    workspace_id       uuid          NOT NULL,
    topic_id           text          NOT NULL,
    partition          int           NOT NULL,
    "offset"           bigint        NOT NULL,
    transaction_id     uuid          NOT NULL,
    line_no            int           NOT NULL,
    line_id            uuid          NOT NULL,
    category_id        text,
    amount             numeric(18,4) NOT NULL,
    currency           text          NOT NULL,
    note               text,
    workspace_currency text, -- null when the workspace's own event has not arrived
    fx_rate            numeric(24,12), -- units of workspace_currency for one of currency; null: not converted
    fx_rate_on         date, -- the day the rate is of
    amount_converted   numeric(18,4),
    PRIMARY KEY (workspace_id, topic_id, partition, "offset", line_no)
);
CREATE INDEX transaction_lines_batch ON silver.transaction_lines (batch_id);
CREATE INDEX transaction_lines_key ON silver.transaction_lines (workspace_id, transaction_id);

-- Events of the other three topics. Grain as above; `state` holds the event's own fields.
CREATE TABLE silver.user_events (
    batch_id       bigint      NOT NULL REFERENCES silver.batches,
    workspace_id   uuid        NOT NULL,
    topic_id       text        NOT NULL,
    partition      int         NOT NULL,
    "offset"       bigint      NOT NULL,
    logged_at      timestamptz NOT NULL,
    event_id       uuid        NOT NULL,
    entity         text        NOT NULL,
    entity_id      uuid        NOT NULL,
    version        int         NOT NULL,
    operation      text        NOT NULL,
    decision       text        NOT NULL CHECK (decision IN ('accepted', 'duplicate', 'stale')),
    actor_id       uuid,
    source         text        NOT NULL,
    external_id    text,
    correlation_id text,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    state          jsonb       NOT NULL,
    PRIMARY KEY (workspace_id, topic_id, partition, "offset")
);
CREATE INDEX user_events_batch ON silver.user_events (batch_id);
CREATE INDEX user_events_key ON silver.user_events (workspace_id, entity, entity_id);
CREATE TABLE silver.report_events (LIKE silver.user_events INCLUDING ALL);
ALTER TABLE silver.report_events ADD FOREIGN KEY (batch_id) REFERENCES silver.batches;
CREATE TABLE silver.reminder_events (LIKE silver.user_events INCLUDING ALL);
ALTER TABLE silver.reminder_events ADD FOREIGN KEY (batch_id) REFERENCES silver.batches;

-- Events that broke a rule, whole, with the rule's name.
CREATE TABLE silver.quarantine (
    batch_id       bigint      NOT NULL REFERENCES silver.batches,
    topic          text        NOT NULL,
    topic_id       text        NOT NULL,
    partition      int         NOT NULL,
    "offset"       bigint      NOT NULL,
    workspace_id   uuid,
    entity_id      uuid,
    event_id       uuid,
    version        int,
    rule           text        NOT NULL,
    detail         text        NOT NULL,
    row            jsonb       NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic_id, partition, "offset", rule)
);
CREATE INDEX quarantine_batch ON silver.quarantine (batch_id);
CREATE INDEX quarantine_key ON silver.quarantine (workspace_id, entity_id);

GRANT SELECT, INSERT, UPDATE, DELETE, MAINTAIN ON ALL TABLES IN SCHEMA bronze, silver TO outlay_pipeline;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA bronze, silver TO outlay_pipeline;
GRANT SELECT ON ALL TABLES IN SCHEMA bronze, silver TO outlay_dbt;

-- dbt owns what it builds; the pipeline reads the reference data, the app reads the marts.
CREATE SCHEMA reference AUTHORIZATION outlay_dbt;
CREATE SCHEMA staging AUTHORIZATION outlay_dbt;
CREATE SCHEMA intermediate AUTHORIZATION outlay_dbt;
CREATE SCHEMA gold AUTHORIZATION outlay_dbt;
GRANT USAGE ON SCHEMA reference, staging, intermediate, gold TO outlay_pipeline;
GRANT USAGE ON SCHEMA reference, gold TO outlay_app;
ALTER DEFAULT PRIVILEGES FOR ROLE outlay_dbt IN SCHEMA reference, gold GRANT SELECT ON TABLES TO outlay_pipeline;
ALTER DEFAULT PRIVILEGES FOR ROLE outlay_dbt IN SCHEMA reference GRANT SELECT ON TABLES TO outlay_app;
