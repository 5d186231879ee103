-- Credentials, and nothing else of a person: name, locale and time zone travel in `user` events and are read from live.
-- One role reads and writes here; the app's role has no right in this schema.
CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO outlay_auth;

CREATE TABLE auth.users (
    user_id             uuid        PRIMARY KEY,
    email               text        NOT NULL,        -- as it was given
    email_key           text        NOT NULL UNIQUE, -- as it is compared
    password_hash       text        NOT NULL,        -- Argon2id, with its parameters
    password_changed_at timestamptz NOT NULL,
    sign_up             jsonb,                       -- what they gave, until the address is known to be theirs
    profile_version     int         NOT NULL,        -- of the newest `user` event of this person; 0 before there is one
    disabled_at         timestamptz,
    created_at          timestamptz NOT NULL,
    CHECK ((sign_up IS NOT NULL) = (profile_version = 0))
);

-- A browser's session is a cookie; a program's is a family of refresh tokens, of which the newest one is good.
CREATE TABLE auth.sessions (
    session_id    uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL REFERENCES auth.users,
    kind          text        NOT NULL CHECK (kind IN ('browser', 'program')),
    secret_hash   bytea       UNIQUE, -- of the cookie
    address       text,               -- network address that it was opened from
    client        text,               -- User-Agent that it was opened with
    created_at    timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL, -- whatever is done meanwhile
    ended_at      timestamptz,
    ended_because text,
    CHECK ((kind = 'browser') = (secret_hash IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE INDEX ON auth.sessions (user_id) WHERE ended_at IS NULL;

CREATE TABLE auth.refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES auth.sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz -- a second use is a theft: of the two who hold it, one is not its owner
);
CREATE INDEX ON auth.refresh_tokens (session_id);

CREATE TABLE auth.personal_tokens (
    token_id   uuid        PRIMARY KEY,
    token_hash bytea       NOT NULL UNIQUE,
    user_id    uuid        NOT NULL REFERENCES auth.users,
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    seen_at    timestamptz,
    ended_at   timestamptz
);
CREATE INDEX ON auth.personal_tokens (user_id) WHERE ended_at IS NULL;

-- What a mail brings back: that the address is theirs, or that they may choose a new password.
CREATE TABLE auth.mailed_tokens (
    token_hash bytea       PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    purpose    text        NOT NULL CHECK (purpose IN ('confirm', 'reset')),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX ON auth.mailed_tokens (user_id);

-- Keys that access tokens are signed with, the newest one not retired; the retired verify until their tokens are over.
CREATE TABLE auth.signing_keys (
    kid         text        PRIMARY KEY,
    public_key  bytea       NOT NULL, -- Ed25519, 32 bytes
    sealed_key  bytea       NOT NULL, -- the private one, encrypted under `auth_key` of secrets.json
    created_at  timestamptz NOT NULL,
    retired_at  timestamptz
);

-- Attempts within a window of time, such as logins with one address.
CREATE TABLE auth.attempts (
    bucket     bytea       NOT NULL,
    begins_at  timestamptz NOT NULL,
    attempts   int         NOT NULL,
    PRIMARY KEY (bucket, begins_at)
);

-- Events of what was changed here, written in the same transaction; a relay appends them to the log in this order.
CREATE TABLE auth.outbox (
    outbox_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    uuid        NOT NULL UNIQUE,
    user_id     uuid        NOT NULL, -- who waits for it
    topic       text        NOT NULL,
    key         bytea       NOT NULL,
    value       bytea       NOT NULL, -- as it goes to Kafka
    created_at  timestamptz NOT NULL,
    appended_at timestamptz,
    partition   int,
    "offset"    bigint,
    CHECK ((appended_at IS NULL) = (partition IS NULL) AND (partition IS NULL) = ("offset" IS NULL))
);
CREATE INDEX ON auth.outbox (outbox_id) WHERE appended_at IS NULL;
CREATE INDEX ON auth.outbox (user_id, created_at);

-- What happened here, each entry's hash made from the one before: a changed, removed or inserted one breaks the chain.
CREATE TABLE auth.audit (
    seq   bigint PRIMARY KEY,
    entry text   NOT NULL, -- canonical JSON
    hash  bytea  NOT NULL  -- SHA-256 of the hash before and the entry
);
CREATE INDEX ON auth.audit ((entry::jsonb ->> 'user_id'), seq);

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth TO outlay_auth;
REVOKE UPDATE, DELETE ON auth.audit FROM outlay_auth;

CREATE FUNCTION auth.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'auth.audit is append-only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auth.audit EXECUTE FUNCTION auth.refuse_change();

-- The workspaces that the session's user is a member of, whichever of them the session looks at.
CREATE INDEX memberships ON live.entities ((state -> 'membership' ->> 'user_id')) WHERE entity = 'membership';

CREATE FUNCTION live.current_user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('outlay.user_id', true), '')::uuid;

CREATE FUNCTION live.my_workspaces() RETURNS TABLE (
    workspace_id uuid, name text, currency text, time_zone text, role text
)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT w.workspace_id, w.name, w.currency, w.time_zone, m.state -> 'membership' ->> 'role'
    FROM live.entities AS m INNER JOIN live.workspaces AS w ON w.workspace_id = m.workspace_id
    WHERE
        m.entity = 'membership' AND m.operation <> 'deleted'
        AND m.state -> 'membership' ->> 'user_id' = live.current_user_id()::text
    ORDER BY w.name, w.workspace_id;
END;
REVOKE EXECUTE ON FUNCTION live.my_workspaces() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION live.my_workspaces() TO outlay_app;
