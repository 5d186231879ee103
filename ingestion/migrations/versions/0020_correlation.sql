-- What is imported or simulated has none. Whoever writes to the log directly may have sent one of any length: what is longer
-- than a request's is in no index, which could not hold it.
CREATE INDEX events_correlation ON live.events (correlation_id, workspace_id, entity_id) WHERE length(correlation_id) <= 64;
