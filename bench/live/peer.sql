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

-- name: everything_else
-- What `outlay live` does beside, as triggers do it for a sink that can only upsert: the acceptance rule, the history,
-- the current state and the totals, in the production schema. Nothing stays in peer.transactions itself.
CREATE FUNCTION peer.project() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held live.transactions;
    existed boolean;
    sight text;
BEGIN
    SELECT * INTO held FROM live.transactions
    WHERE workspace_id = NEW.workspace_id AND transaction_id = NEW.transaction_id FOR UPDATE;
    existed := FOUND;
    sight := CASE
        WHEN existed AND EXISTS (
            SELECT FROM live.events AS e
            WHERE e.workspace_id = NEW.workspace_id AND e.event_id = NEW.event_id AND e.entity_id = NEW.transaction_id
              AND e.entity = 'transaction' AND e.decision <> 'duplicate') THEN 'duplicate'
        WHEN existed AND NEW.version <= held.version THEN 'stale'
        ELSE 'accepted'
    END;
    INSERT INTO live.events (topic, topic_id, partition, "offset", logged_at, workspace_id, event_id, entity, entity_id,
                             version, operation, source, occurred_at, recorded_at, state, decision)
    VALUES ('transaction', peer.topic_id(), NEW.kafka_partition, NEW.kafka_offset, NEW.logged_at, NEW.workspace_id,
            NEW.event_id, 'transaction', NEW.transaction_id, NEW.version, NEW.operation, NEW.source,
            to_timestamp(0) + NEW.occurred_at * interval '1 microsecond',
            to_timestamp(0) + NEW.recorded_at * interval '1 microsecond',
            jsonb_strip_nulls(jsonb_build_object(
                'transaction_id', NEW.transaction_id, 'version', NEW.version, 'operation', NEW.operation,
                'kind', NEW.kind, 'status', NEW.status, 'account_id', NEW.account_id, 'occurred_on', NEW.occurred_on,
                'amount', NEW.amount::text, 'currency', NEW.currency, 'merchant', NEW.merchant,
                'description', NEW.description, 'category_id', NEW.category_id,
                'category_source', NEW.category_source, 'category_confidence', NEW.category_confidence,
                'decided_by', NEW.decided_by, 'tags', '[]'::jsonb, 'lines', '[]'::jsonb, 'attachments', '[]'::jsonb)),
            sight)
    ON CONFLICT (workspace_id, topic_id, partition, "offset") DO NOTHING;
    IF NOT FOUND OR sight <> 'accepted' THEN
        RETURN NULL; -- given once more after a crash, or not to be applied
    END IF;
    IF existed THEN
        UPDATE live.monthly_totals SET lines = lines - 1, amount = monthly_totals.amount - held.amount
        WHERE held.operation <> 'voided' AND workspace_id = held.workspace_id AND month = date_trunc('month', held.occurred_on)::date
          AND account_id = held.account_id AND category_id = coalesce(held.category_id, 'uncategorised')
          AND currency = held.currency AND kind = held.kind;
        DELETE FROM live.transactions
        WHERE workspace_id = NEW.workspace_id AND transaction_id = NEW.transaction_id;
    END IF;
    INSERT INTO live.transactions (
        workspace_id, transaction_id, version, operation, kind, status, account_id, occurred_on, amount, currency,
        merchant, description, category_id, category_source, category_confidence, decided_by, tags, attachments,
        event_id, source, recorded_at, topic_id, partition, "offset")
    VALUES (NEW.workspace_id, NEW.transaction_id, NEW.version, NEW.operation, NEW.kind, NEW.status, NEW.account_id,
            NEW.occurred_on, NEW.amount, NEW.currency, NEW.merchant, NEW.description, NEW.category_id,
            NEW.category_source, NEW.category_confidence, NEW.decided_by, '{}', '[]', NEW.event_id, NEW.source,
            to_timestamp(0) + NEW.recorded_at * interval '1 microsecond', peer.topic_id(), NEW.kafka_partition,
            NEW.kafka_offset);
    INSERT INTO live.monthly_totals AS t (workspace_id, month, account_id, category_id, currency, kind, lines, amount)
    SELECT NEW.workspace_id, date_trunc('month', NEW.occurred_on)::date, NEW.account_id,
           coalesce(NEW.category_id, 'uncategorised'), NEW.currency, NEW.kind, 1, NEW.amount
    WHERE NEW.operation <> 'voided'
    ON CONFLICT (workspace_id, month, account_id, category_id, currency, kind) DO UPDATE SET
        lines = t.lines + excluded.lines, amount = t.amount + excluded.amount;
    RETURN NULL;
END $$;
CREATE TRIGGER project BEFORE INSERT ON peer.transactions FOR EACH ROW EXECUTE FUNCTION peer.project()
