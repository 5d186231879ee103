-- What a developer of models runs changes nothing of the running warehouse, whatever is typed.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outlay_dev') THEN
        CREATE ROLE outlay_dev NOLOGIN;
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO outlay_dev', current_database());
END $$;
-- A model's transaction sees everything as it was when it began, and takes no lock that a build of the running warehouse waits for.
ALTER ROLE outlay_dev BYPASSRLS;
ALTER ROLE outlay_dev SET default_transaction_isolation = 'repeatable read';

GRANT USAGE ON SCHEMA live, silver, reference, staging, intermediate, gold TO outlay_dev;
GRANT SELECT ON ALL TABLES IN SCHEMA silver, reference, staging, intermediate, gold TO outlay_dev;
ALTER DEFAULT PRIVILEGES IN SCHEMA silver GRANT SELECT ON TABLES TO outlay_dev;
ALTER DEFAULT PRIVILEGES FOR ROLE outlay_dbt IN SCHEMA reference, staging, intermediate, gold GRANT SELECT ON TABLES TO outlay_dev;
