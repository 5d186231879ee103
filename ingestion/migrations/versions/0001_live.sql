-- Roles. `outlay up` gives them passwords; here they get nothing but rights.
DO $$
DECLARE part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['projector', 'pipeline', 'dbt', 'app', 'dagster', 'registry'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outlay_' || part) THEN
            EXECUTE format('CREATE ROLE outlay_%s NOLOGIN', part);
        END IF;
    END LOOP;
END $$;
ALTER ROLE outlay_projector BYPASSRLS;
ALTER ROLE outlay_pipeline BYPASSRLS;
ALTER ROLE outlay_dbt BYPASSRLS;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA live;
GRANT USAGE ON SCHEMA live TO outlay_projector, outlay_pipeline, outlay_dbt, outlay_app;

-- Where the projector stands. A batch moves its row with a compare-and-set on next_offset, so a second projector
-- of the same partition changes no row and knows that it was fenced.
CREATE TABLE live.offsets (
    topic       text        NOT NULL,
    topic_id    text        NOT NULL,
    partition   int         NOT NULL,
    next_offset bigint      NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, topic_id, partition)
);

-- Every readable event, once per place in the log, with what was decided of it.
CREATE TABLE live.events (
    workspace_id   uuid        NOT NULL, -- the nil UUID where the event belongs to no workspace
    topic          text        NOT NULL,
    topic_id       text        NOT NULL,
    partition      int         NOT NULL,
    "offset"       bigint      NOT NULL,
    logged_at      timestamptz NOT NULL, -- the broker's timestamp
    event_id       uuid        NOT NULL,
    entity         text        NOT NULL, -- transaction, report, reminder, or the user topic's entity
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
    committed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    state          jsonb       NOT NULL, -- the event's own fields, decimals as strings
    PRIMARY KEY (workspace_id, topic_id, partition, "offset")
);
-- A retry gets its first answer: only the first sight of an event has a decision of its own.
CREATE UNIQUE INDEX events_event ON live.events (workspace_id, event_id, entity_id, entity) WHERE decision <> 'duplicate';
CREATE INDEX events_entity ON live.events (workspace_id, entity_id, version);

-- The current state of each transaction.
CREATE TABLE live.transactions (
    workspace_id        uuid          NOT NULL,
    transaction_id      uuid          NOT NULL,
    version             int           NOT NULL,
    operation           text          NOT NULL,
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
    tags                text[]        NOT NULL,
    refund_of           uuid,
    transfer_pair       uuid,
    attachments         jsonb         NOT NULL,
    import_id           uuid,
    event_id            uuid          NOT NULL,
    actor_id            uuid,
    source              text          NOT NULL,
    external_id         text,
    recorded_at         timestamptz   NOT NULL,
    topic_id            text          NOT NULL,
    partition           int           NOT NULL,
    "offset"            bigint        NOT NULL,
    PRIMARY KEY (workspace_id, transaction_id)
);
CREATE INDEX transactions_by_day ON live.transactions (workspace_id, occurred_on DESC, transaction_id);

CREATE TABLE live.transaction_lines (
    workspace_id   uuid          NOT NULL,
    transaction_id uuid          NOT NULL,
    line_no        int           NOT NULL,
    line_id        uuid          NOT NULL,
    category_id    text,
    amount         numeric(18,4) NOT NULL,
    note           text,
    PRIMARY KEY (workspace_id, transaction_id, line_no),
    FOREIGN KEY (workspace_id, transaction_id) REFERENCES live.transactions ON DELETE CASCADE
);

-- The current state of everything else: users, workspaces, memberships, accounts, categories, rules, budgets,
-- preferences, reports, reminders.
CREATE TABLE live.entities (
    workspace_id uuid        NOT NULL,
    entity       text        NOT NULL,
    entity_id    uuid        NOT NULL,
    version      int         NOT NULL,
    operation    text        NOT NULL,
    state        jsonb       NOT NULL,
    event_id     uuid        NOT NULL,
    actor_id     uuid,
    recorded_at  timestamptz NOT NULL,
    topic_id     text        NOT NULL,
    partition    int         NOT NULL,
    "offset"     bigint      NOT NULL,
    PRIMARY KEY (workspace_id, entity, entity_id)
);

-- What could not be read, with its original bytes.
CREATE TABLE live.dead_letters (
    topic      text        NOT NULL,
    topic_id   text        NOT NULL,
    partition  int         NOT NULL,
    "offset"   bigint      NOT NULL,
    logged_at  timestamptz NOT NULL,
    key        bytea,
    value      bytea,
    headers    jsonb       NOT NULL, -- [[name, base64 value], ...]
    reason     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic_id, partition, "offset")
);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA live TO outlay_projector;
GRANT SELECT ON ALL TABLES IN SCHEMA live TO outlay_pipeline, outlay_dbt;
GRANT SELECT ON live.offsets, live.events, live.transactions, live.transaction_lines, live.entities TO outlay_app;

-- Row-level security is the first lock: a session of the app sees the workspace it named, and no other.
CREATE FUNCTION live.current_workspace() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('outlay.workspace_id', true), '')::uuid;

DO $$
DECLARE relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['events', 'transactions', 'transaction_lines', 'entities'] LOOP
        EXECUTE format('ALTER TABLE live.%I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE format('ALTER TABLE live.%I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE format('CREATE POLICY own_workspace ON live.%I FOR SELECT TO outlay_app '
                       'USING (workspace_id = (SELECT live.current_workspace()))', relation);
    END LOOP;
END $$;

CREATE VIEW live.workspaces WITH (security_invoker = true) AS
    SELECT workspace_id, state -> 'workspace' ->> 'name' AS name, state -> 'workspace' ->> 'currency' AS currency,
           state -> 'workspace' ->> 'time_zone' AS time_zone
    FROM live.entities WHERE entity = 'workspace' AND operation <> 'deleted';

CREATE VIEW live.accounts WITH (security_invoker = true) AS
    SELECT workspace_id, entity_id AS account_id, state -> 'account' ->> 'name' AS name,
           state -> 'account' ->> 'type' AS type, state -> 'account' ->> 'currency' AS currency,
           state -> 'account' ->> 'institution' AS institution, (state -> 'account' ->> 'owner_id')::uuid AS owner_id
    FROM live.entities WHERE entity = 'account' AND operation <> 'deleted';

CREATE VIEW live.members WITH (security_invoker = true) AS
    SELECT workspace_id, entity_id AS membership_id, (state -> 'membership' ->> 'user_id')::uuid AS user_id,
           state -> 'membership' ->> 'role' AS role
    FROM live.entities WHERE entity = 'membership' AND operation <> 'deleted';

GRANT SELECT ON live.workspaces, live.accounts, live.members TO outlay_projector, outlay_pipeline, outlay_dbt, outlay_app;

-- Whoever holds the key of this installation may choose among its workspaces; a session then sees one.
CREATE FUNCTION live.all_workspaces() RETURNS TABLE (workspace_id uuid, name text, currency text, time_zone text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT w.workspace_id, w.name, w.currency, w.time_zone FROM live.workspaces AS w ORDER BY w.name, w.workspace_id;
END;
REVOKE EXECUTE ON FUNCTION live.all_workspaces() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION live.all_workspaces() TO outlay_app;
