-- Rates against the euro as they came, in batches of the same numbers as those of events. The newest batch of a day counts.
CREATE TABLE silver.fx_rates (
    batch_id bigint         NOT NULL REFERENCES silver.batches,
    rate_on  date           NOT NULL,
    currency text           NOT NULL CHECK (currency <> 'EUR'),
    per_eur  numeric(24,12) NOT NULL CHECK (per_eur > 0), -- units of the currency for one euro
    PRIMARY KEY (currency, rate_on, batch_id)
);
CREATE INDEX fx_rates_batch ON silver.fx_rates (batch_id);
GRANT SELECT, INSERT, UPDATE, DELETE, MAINTAIN ON silver.fx_rates TO outlay_pipeline;
GRANT SELECT ON silver.fx_rates TO outlay_dbt;

-- What an amount is in the workspace's currency follows from rates and events that may come later than its line: gold derives it.
-- dbt makes the views that read these columns anew, and has no seed of rates any more.
DROP VIEW IF EXISTS staging.stg_transaction_lines CASCADE;
DROP TABLE IF EXISTS reference.ecb_reference_rates;
ALTER TABLE silver.transaction_lines
    DROP COLUMN workspace_currency,
    DROP COLUMN fx_rate,
    DROP COLUMN fx_rate_on,
    DROP COLUMN amount_converted;
