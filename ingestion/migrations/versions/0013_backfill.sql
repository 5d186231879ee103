-- The batches that were, or are to be, taken out of silver for a new one: days that are made again from bronze.
ALTER TABLE silver.staged ADD COLUMN replaces bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE silver.batches ADD COLUMN replaces bigint[] NOT NULL DEFAULT '{}';
