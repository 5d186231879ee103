DROP FUNCTION live.my_members();
CREATE FUNCTION live.my_members() RETURNS TABLE (
    membership_id uuid, user_id uuid, role text, version int, name text, email text, picture text
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT m.entity_id, u.entity_id, m.state -> 'membership' ->> 'role', m.version, u.state -> 'user' ->> 'name',
           u.state -> 'user' ->> 'email', u.state -> 'user' ->> 'picture'
    FROM live.entities AS m INNER JOIN live.entities AS u
        ON u.workspace_id = '00000000-0000-0000-0000-000000000000' AND u.entity = 'user'
        AND u.entity_id = (m.state -> 'membership' ->> 'user_id')::uuid
    WHERE m.workspace_id = live.admitted_workspace() AND m.entity = 'membership' AND m.operation <> 'deleted'
    ORDER BY 5, 2;
END;
REVOKE EXECUTE ON FUNCTION live.my_members() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION live.my_members() TO outlay_app;
