-- A code that lets whoever brings it into a workspace, once, while the person who gave it out owns the workspace.
CREATE TABLE auth.invitations (
    invitation_id uuid        PRIMARY KEY,
    code_hash     bytea       NOT NULL UNIQUE,
    workspace_id  uuid        NOT NULL,
    role          text        NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    email         text, -- whom it was mailed to; null: the inviter passes it on
    invited_by    uuid        NOT NULL REFERENCES auth.users,
    signed_up     uuid        REFERENCES auth.users ON DELETE SET NULL, -- the account that was made with it
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    accepted_by   uuid        REFERENCES auth.users,
    ended_at      timestamptz -- accepted, or taken back
);
CREATE INDEX ON auth.invitations (workspace_id) WHERE ended_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON auth.invitations TO outlay_auth;

-- A workspace's members, as they see each other: who they are is in no workspace.
CREATE FUNCTION live.my_members() RETURNS TABLE (
    membership_id uuid, user_id uuid, role text, version int, name text, email text
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT m.entity_id, u.entity_id, m.state -> 'membership' ->> 'role', m.version, u.state -> 'user' ->> 'name',
           u.state -> 'user' ->> 'email'
    FROM live.entities AS m INNER JOIN live.entities AS u
        ON u.workspace_id = '00000000-0000-0000-0000-000000000000' AND u.entity = 'user'
        AND u.entity_id = (m.state -> 'membership' ->> 'user_id')::uuid
    WHERE m.workspace_id = live.admitted_workspace() AND m.entity = 'membership' AND m.operation <> 'deleted'
    ORDER BY 5, 2;
END;
REVOKE EXECUTE ON FUNCTION live.my_members() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION live.my_members() TO outlay_app;
