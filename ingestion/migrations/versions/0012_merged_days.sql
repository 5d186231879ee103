-- Folders of Parquet that silver.batches does not name: what a merge has begun to write, and what merges have replaced.
-- Until their time has come, a reader that asked for the paths before may still read them.
CREATE TABLE silver.removals (
    path         text        PRIMARY KEY, -- below the lake's root
    topic        text        NOT NULL,
    remove_after timestamptz NOT NULL,
    noted_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT, UPDATE, DELETE, MAINTAIN ON silver.removals TO outlay_pipeline;
