-- No query chooses its way by what stands inside these documents. Sampling and sorting them took most of an ANALYZE,
-- which PostgreSQL starts by itself while events come in.
ALTER TABLE live.events ALTER COLUMN state SET STATISTICS 0;
ALTER TABLE live.entities ALTER COLUMN state SET STATISTICS 0;
ALTER TABLE live.transactions ALTER COLUMN attachments SET STATISTICS 0;
