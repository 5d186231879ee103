-- A letter is decided on by a person; the two decisions are kept side by side, so that a discarded letter that is
-- retried later still says who had discarded it and why. The state follows from them.
ALTER TABLE live.dead_letters
    ADD COLUMN published_at      timestamptz, -- acknowledged by Kafka in <topic>.dlq; null: the relay has it to do
    ADD COLUMN retried_at        timestamptz,
    ADD COLUMN retried_by        text,
    ADD COLUMN retried_topic_id  text, -- where the event stands now
    ADD COLUMN retried_partition int,
    ADD COLUMN retried_offset    bigint,
    ADD COLUMN discarded_at      timestamptz,
    ADD COLUMN discarded_by      text,
    ADD COLUMN discard_reason    text,
    ADD COLUMN state             text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN retried_at IS NOT NULL THEN 'retried' WHEN discarded_at IS NOT NULL THEN 'discarded' ELSE 'open' END
    ) STORED,
    ADD CHECK (num_nonnulls(retried_at, retried_by, retried_topic_id, retried_partition, retried_offset) IN (0, 5)),
    ADD CHECK (num_nonnulls(discarded_at, discarded_by, discard_reason) IN (0, 3));

CREATE INDEX dead_letters_newest ON live.dead_letters (created_at);
CREATE INDEX dead_letters_open ON live.dead_letters (topic, created_at) WHERE state = 'open';
CREATE INDEX dead_letters_unpublished ON live.dead_letters (topic_id, partition, "offset") WHERE published_at IS NULL;

-- Nothing is deleted, and what came from the log never changes: only what became of it may be written.
REVOKE UPDATE, DELETE ON live.dead_letters FROM outlay_projector;
GRANT UPDATE (
    published_at, retried_at, retried_by, retried_topic_id, retried_partition, retried_offset,
    discarded_at, discarded_by, discard_reason
) ON live.dead_letters TO outlay_projector;
