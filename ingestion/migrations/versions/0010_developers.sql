-- What a developer of models runs changes nothing of the running warehouse, whatever is typed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outlay_dev') THEN
        CREATE ROLE outlay_dev NOLOGIN;
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO outlay_dev', current_database());
    -- A schema by another role's name would be searched by that role: its functions would run with that role's rights.
    EXECUTE format('ALTER DATABASE %I SET search_path = public', current_database());
END $$;
-- A model's transaction sees everything as it was when it began. While it reads a table, none can be put in its place: so it ends.
ALTER ROLE outlay_dev BYPASSRLS;
ALTER ROLE outlay_dev SET default_transaction_isolation = 'repeatable read';
ALTER ROLE outlay_dev SET idle_in_transaction_session_timeout = '1min';
ALTER ROLE outlay_dev SET transaction_timeout = '10min';

GRANT USAGE ON SCHEMA live, silver, reference, staging, intermediate, gold TO outlay_dev;
GRANT SELECT ON ALL TABLES IN SCHEMA silver, reference, staging, intermediate, gold TO outlay_dev;
ALTER DEFAULT PRIVILEGES IN SCHEMA silver GRANT SELECT ON TABLES TO outlay_dev;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA gold TO outlay_dev;
ALTER DEFAULT PRIVILEGES FOR ROLE outlay_dbt IN SCHEMA gold GRANT USAGE ON SEQUENCES TO outlay_dev;
ALTER DEFAULT PRIVILEGES FOR ROLE outlay_dbt IN SCHEMA reference, staging, intermediate, gold GRANT SELECT ON TABLES TO outlay_dev;
