-- Offsets and no content: the app may compare them with what live holds of its own workspace. The view runs with its
-- owner's rights, so that the app reads nothing else of silver and bronze.
CREATE VIEW silver.log_places AS
    SELECT bf.batch_id, f.topic, f.topic_id, f.partition, max(f.last_offset) + 1 AS next_offset
    FROM silver.batch_files AS bf
    INNER JOIN bronze.files AS f USING (file_id)
    GROUP BY bf.batch_id, f.topic, f.topic_id, f.partition;

GRANT USAGE ON SCHEMA silver TO outlay_app;
GRANT SELECT ON silver.log_places TO outlay_app, outlay_pipeline, outlay_dbt;
