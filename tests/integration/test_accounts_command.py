"""What whoever runs an installation does about accounts, at the command line."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from outlay.api import process
from outlay.db import session
from tests.accounts import PASSWORD, forgive_attempts, open_installation
from tests.support import outlay, outlay_json

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture
def visitor(stack):
    with open_installation() as api:
        forgive_attempts()
        yield TestClient(api)


@pytest.fixture
def anna(visitor) -> dict[str, str]:
    credentials = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD}
    assert visitor.post("/auth/sign-up", json=credentials | {"name": "Anna"}).status_code == 202
    return credentials


def log_in(visitor, credentials) -> dict[str, str]:
    answer = visitor.post("/auth/tokens", json=credentials)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_the_operator_ends_sessions_and_shuts_accounts(visitor, anna):
    email, headers = anna["email"], log_in(visitor, anna)
    [listed] = [account for account in outlay_json("accounts", "list") if account["email"] == email]
    assert (listed["state"], listed["sessions"]) == ("good", 1)
    assert outlay("accounts", "end-sessions", email).stdout == "1 sessions ended\n"
    assert visitor.get("/me", headers=headers).status_code == 401
    headers = log_in(visitor, anna)
    assert outlay("accounts", "disable", email).returncode == 0
    assert visitor.get("/me", headers=headers).status_code == 401
    assert visitor.post("/auth/tokens", json=anna).status_code == 401
    assert outlay("accounts", "enable", email).returncode == 0
    assert visitor.get("/me", headers=headers).status_code == 401, "what was ended stays ended"
    assert visitor.get("/me", headers=log_in(visitor, anna)).status_code == 200
    told = [entry["event"] for entry in outlay_json("accounts", "audit", "--of", email)]
    assert told[:6] == [
        *("logged_in", "account_enabled", "login_refused", "account_disabled", "logged_in", "sessions_ended")
    ]


def test_an_account_that_is_not_there_is_named(stack):
    done = outlay("accounts", "disable", "nobody@example.org")
    assert done.returncode == 1
    assert done.stderr == "outlay: no account has the address nobody@example.org: `outlay accounts list`\n"
    assert outlay("accounts", "end-sessions").returncode == 2


def test_the_audit_log_is_verified_and_a_broken_one_fails_the_command(visitor, anna, stack):
    log_in(visitor, anna)
    whole = outlay_json("accounts", "audit", "--verify")
    assert whole["entries"] >= 3
    with session("owner") as connection:
        connection.execute("ALTER TABLE auth.audit DISABLE TRIGGER append_only")
        entry = connection.execute("SELECT entry FROM auth.audit WHERE seq = 2").fetchone()[0]
        connection.execute("UPDATE auth.audit SET entry = entry || ' ' WHERE seq = 2")
    try:
        done = outlay("accounts", "audit", "--verify")
        assert done.returncode == 1
        assert "entry 2 or its hash is not what was written" in done.stderr
    finally:
        with session("owner") as connection:
            connection.execute("UPDATE auth.audit SET entry = %s WHERE seq = 2", (entry,))
            connection.execute("ALTER TABLE auth.audit ENABLE TRIGGER append_only")


def test_a_new_key_signs_the_next_tokens(visitor, anna):
    before = log_in(visitor, anna)
    assert "are signed with" in outlay("accounts", "rotate-key").stdout
    process.close()
    after = log_in(visitor, anna)
    assert [visitor.get("/me", headers=headers).status_code for headers in (before, after)] == [200, 200]
