CREATE OR REPLACE VIEW live.accounts WITH (security_invoker = true) AS
    SELECT workspace_id, entity_id AS account_id, state -> 'account' ->> 'name' AS name,
           state -> 'account' ->> 'type' AS type, state -> 'account' ->> 'currency' AS currency,
           state -> 'account' ->> 'institution' AS institution, (state -> 'account' ->> 'owner_id')::uuid AS owner_id,
           version, operation = 'deleted' AS closed
    FROM live.entities WHERE entity = 'account';

-- A caller finds a transaction by its own id of it. Whoever writes to the log directly may have sent one of any length: what
-- is longer than the ledger takes is in no index, which could not hold it.
CREATE INDEX transactions_external ON live.transactions (workspace_id, external_id) WHERE length(external_id) <= 50;
