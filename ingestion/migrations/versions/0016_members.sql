-- Row-level security knows whom a session of the app works for: it sees the workspace it named if that user is a member of
-- it. Whoever holds the installation's key, and the commands on its machine, work as the operator, who may name any.
GRANT outlay_app TO outlay_operator;

CREATE FUNCTION live.my_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT m.state -> 'membership' ->> 'role' FROM live.entities AS m
    WHERE
        m.workspace_id = live.current_workspace() AND m.entity = 'membership' AND m.operation <> 'deleted'
        AND m.state -> 'membership' ->> 'user_id' = live.current_user_id()::text
    ORDER BY m.recorded_at DESC, m.entity_id LIMIT 1;
END;

CREATE FUNCTION live.admitted_workspace() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    RETURN CASE
        WHEN session_user = 'outlay_operator' OR live.my_role() IS NOT NULL THEN live.current_workspace()
    END;

REVOKE EXECUTE ON FUNCTION live.my_role(), live.admitted_workspace() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION live.my_role(), live.admitted_workspace() TO outlay_app;
REVOKE EXECUTE ON FUNCTION live.all_workspaces() FROM outlay_app;
GRANT EXECUTE ON FUNCTION live.all_workspaces() TO outlay_operator;

DO $$
DECLARE held record;
BEGIN
    FOR held IN SELECT schemaname, tablename, qual FROM pg_policies WHERE policyname = 'own_workspace' LOOP
        EXECUTE format('ALTER POLICY own_workspace ON %I.%I USING (%s)', held.schemaname, held.tablename,
                       regexp_replace(held.qual, 'live\.current_workspace\(\)( AS current_workspace)?',
                                      'live.admitted_workspace()'));
    END LOOP;
END $$;

-- A person is of no workspace; who they are is theirs to read, and their history.
CREATE POLICY own_profile ON live.entities FOR SELECT TO outlay_app
    USING (workspace_id = '00000000-0000-0000-0000-000000000000' AND entity = 'user' AND entity_id = (SELECT live.current_user_id()));
CREATE POLICY own_profile ON live.events FOR SELECT TO outlay_app
    USING (workspace_id = '00000000-0000-0000-0000-000000000000' AND entity = 'user' AND entity_id = (SELECT live.current_user_id()));
