"""From signing up to an expense, as a person and as a program of theirs; and everything that ends a session."""

from __future__ import annotations

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import psycopg
import pytest
from fastapi.testclient import TestClient

from outlay.accounts import attempts, audit, signing_keys
from outlay.accounts.access_tokens import LIFETIME
from outlay.api import process
from outlay.api.access import session_cookie_name
from outlay.db import session
from outlay.ledger.workspaces import ensure_account, workspaces_of
from outlay.settings import NotConfigured, Settings
from tests.accounts import OTHER, PASSWORD, Person, forgive_attempts, open_installation

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def api(stack):
    with open_installation() as api:
        yield api


@pytest.fixture(autouse=True)
def attempts_forgiven(api):
    forgive_attempts()


@pytest.fixture
def visitor(api):
    return TestClient(api, headers={"sec-fetch-site": "same-origin", "user-agent": "a browser"})


@pytest.fixture
def anna(api):
    return Person(api)


def test_who_signs_up_has_a_workspace_of_their_own_and_records_an_expense_in_it(anna):
    client = anna.client()
    assert client.get("/me").json() == {
        "user_id": str(anna.user_id),
        "version": 1,
        "email": anna.email,
        "name": "Anna",
        "locale": None,
        "time_zone": "Europe/Berlin",
        "picture_url": None,
    }
    [home] = client.get("/workspaces").json()
    assert (home["name"], home["currency"], home["time_zone"], home["role"]) == (
        "Anna",
        "EUR",
        "Europe/Berlin",
        "owner",
    )
    [workspace] = workspaces_of(anna.user_id)
    account = ensure_account(process.ledger(), workspace, name="Card", currency="EUR", type="card")
    expense = {
        "account_id": str(account.account_id),
        "occurred_on": "2026-03-14",
        "amount": "12.50",
        "currency": "EUR",
        "description": "Bakery",
    }
    here = {"X-Outlay-Workspace": home["workspace_id"]}
    made = client.post("/expenses", json=expense, headers=here)
    assert made.status_code == 201, made.text
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        actor, amount = connection.execute(
            "SELECT e.actor_id, t.amount FROM live.events AS e "
            "INNER JOIN live.transactions AS t USING (workspace_id, event_id) WHERE event_id = %s",
            (made.json()["event_id"],),
        ).fetchone()
    assert (actor, str(amount)) == (anna.user_id, "12.5000")


def test_nobody_sees_or_changes_the_workspace_of_another(api, anna):
    bert = Person(api, "Bert")
    [theirs] = anna.client().get("/workspaces").json()
    here = {"X-Outlay-Workspace": theirs["workspace_id"]}
    assert theirs["workspace_id"] not in bert.client().get("/workspaces").text
    assert bert.client().get("/expenses", headers=here).status_code == 404
    nowhere = {"X-Outlay-Workspace": str(uuid4())}
    one, other = (bert.client().get("/expenses", headers=headers).json() for headers in (here, nowhere))
    assert one["title"] == other["title"]
    assert one["detail"].replace(theirs["workspace_id"], "?") == other["detail"].replace(str(*nowhere.values()), "?")
    assert bert.client().post("/expenses", json={}, headers=here).status_code == 404


def test_a_browser_holds_a_cookie_that_scripts_and_other_sites_cannot_use(anna):
    browser = anna.browser()
    assert browser.get("/me").json()["email"] == anna.email
    answer = TestClient(anna.api).post("/auth/login", json=anna.credentials)
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert answer.headers["cache-control"] == "no-store"
    secret = answer.cookies[session_cookie_name()]
    assert secret.removeprefix("outlay_session_") not in answer.text
    with session("auth") as connection:  # at rest there is its hash alone
        kept = connection.execute(
            "SELECT s::text FROM auth.sessions AS s WHERE user_id = %s", (anna.user_id,)
        ).fetchall()
    assert kept
    assert all(secret not in row and secret.removeprefix("outlay_session_") not in row for (row,) in kept)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://attacker.example"},
        {"origin": "null"},
        {},
    ],
)
def test_another_site_changes_nothing_with_somebodys_cookie(api, anna, headers):
    cookie = anna.browser().cookies[session_cookie_name()]
    elsewhere = TestClient(api, headers=headers, cookies={session_cookie_name(): cookie})
    assert elsewhere.patch("/me", json={"name": "Mallory"}).status_code == 403
    assert anna.client().get("/me").json()["name"] == "Anna"


def test_an_address_that_has_an_account_looks_like_one_that_has_none(anna, visitor):
    again = {"email": anna.email.upper(), "password": OTHER, "name": "Mallory"}
    known = visitor.post("/auth/sign-up", json=again)
    fresh = visitor.post("/auth/sign-up", json=again | {"email": f"{uuid4().hex}@example.org"})
    assert (known.status_code, known.json()) == (fresh.status_code, fresh.json()) == (202, known.json())
    assert visitor.post("/auth/tokens", json=again | {}, params={}).status_code == 422  # a name is no credential
    taken = visitor.post("/auth/tokens", json={"email": anna.email, "password": OTHER})
    nobody = visitor.post("/auth/tokens", json={"email": f"{uuid4().hex}@example.org", "password": OTHER})
    assert taken.status_code == nobody.status_code == 401
    told, told_nobody = taken.json(), nobody.json()
    assert told.pop("correlation_id") != told_nobody.pop("correlation_id")  # each request has its own
    assert told == told_nobody
    assert anna.log_in()
    assert anna.client().get("/me").json()["name"] == "Anna"


def test_a_login_takes_as_long_for_an_address_without_account(anna, visitor):
    """Medians of interleaved logins; a login that skipped the hash would take a tenth."""
    took: dict[str, list[float]] = {anna.email: [], f"{uuid4().hex}@example.org": []}
    for _ in range(9):
        for email, times in took.items():
            began = time.perf_counter()
            assert visitor.post("/auth/tokens", json={"email": email, "password": OTHER}).status_code == 401
            times.append(time.perf_counter() - began)
    known, unknown = map(statistics.median, took.values())
    assert 0.6 < known / unknown < 1.6, took


@pytest.fixture
def one_window(monkeypatch):
    """Attempts are counted in windows of the clock: these begin with the test."""
    now, of_clock = datetime.now(UTC), attempts._begins_at
    monkeypatch.setattr(attempts, "_begins_at", lambda limit, _: of_clock(limit, now))


def test_passwords_are_tried_only_so_often(anna, visitor, one_window):
    wrong = {"email": anna.email, "password": OTHER}
    said = [visitor.post("/auth/tokens", json=wrong) for _ in range(attempts.LOGINS_OF_ONE.attempts + 1)]
    assert [answer.status_code for answer in said] == [401] * attempts.LOGINS_OF_ONE.attempts + [429]
    assert 0 < int(said[-1].headers["retry-after"]) <= 15 * 60
    right = visitor.post("/auth/tokens", json=anna.credentials)
    assert right.status_code == 429, "the right password may not be found out by going on"


def test_at_once_they_are_tried_no_oftener(anna, api, one_window):
    wrong = {"email": anna.email, "password": OTHER}
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: TestClient(api).post("/auth/tokens", json=wrong).status_code, range(24)))
    assert sorted(codes) == [401] * attempts.LOGINS_OF_ONE.attempts + [429] * (24 - attempts.LOGINS_OF_ONE.attempts)


def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_session(anna, visitor):
    first = anna.tokens
    second = visitor.post("/auth/tokens/refresh", json={"refresh_token": first["refresh_token"]}).json()
    assert anna.client(second["access_token"]).get("/me").status_code == 200
    stolen = visitor.post("/auth/tokens/refresh", json={"refresh_token": first["refresh_token"]})
    assert stolen.status_code == 401
    for token in (first, second):
        assert anna.client(token["access_token"]).get("/me").status_code == 401
    assert visitor.post("/auth/tokens/refresh", json={"refresh_token": second["refresh_token"]}).status_code == 401
    assert "refresh_token_reused" in anna.audited()
    assert anna.client(anna.log_in()["access_token"]).get("/me").status_code == 200, "a new login is another session"


def test_of_two_at_once_with_one_refresh_token_at_most_one_gets_the_next(anna, api):
    given = {"refresh_token": anna.tokens["refresh_token"]}
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: TestClient(api).post("/auth/tokens/refresh", json=given), range(8)))
    assert sum(answer.status_code == 200 for answer in said) <= 1
    assert anna.client().get("/me").status_code == 401


def test_logging_out_ends_the_session_for_every_token_of_it(anna, visitor):
    assert anna.client().post("/auth/logout").status_code == 204
    assert anna.client().get("/me").status_code == 401
    refreshed = visitor.post("/auth/tokens/refresh", json={"refresh_token": anna.tokens["refresh_token"]})
    assert refreshed.status_code == 401
    browser = anna.browser()
    cookie = browser.cookies[session_cookie_name()]
    assert browser.post("/auth/logout").status_code == 204
    assert session_cookie_name() not in browser.cookies
    assert TestClient(anna.api, cookies={session_cookie_name(): cookie}).get("/me").status_code == 401


def test_sessions_are_listed_and_ended_by_their_owner_alone(api, anna):
    browser, bert = anna.browser(), Person(api, "Bert")
    listed = anna.client().get("/auth/sessions").json()
    assert [(each["kind"], each["client"], each["current"]) for each in listed] == [
        ("browser", "a browser", False),
        ("program", "testclient", True),
    ]
    assert bert.client().delete(f"/auth/sessions/{listed[0]['session_id']}").status_code == 404
    assert browser.get("/me").status_code == 200
    assert anna.client().delete(f"/auth/sessions/{listed[0]['session_id']}").status_code == 204
    assert browser.get("/me").status_code == 401
    browsers = [anna.browser(), anna.browser()]
    assert anna.client().delete("/auth/sessions").status_code == 204
    assert [each.get("/me").status_code for each in (*browsers, anna.client())] == [401, 401, 200]


@pytest.mark.parametrize("left", [{"seen_at": -8}, {"expires_at": -1}])
def test_a_session_ends_by_itself(anna, left):
    browser = anna.browser()
    [(column, days)] = left.items()
    with session("auth") as connection:
        connection.execute(
            f"UPDATE auth.sessions SET {column} = %s WHERE user_id = %s",  # noqa: S608
            (datetime.now(UTC) + timedelta(days=days), anna.user_id),
        )
    assert browser.get("/me").status_code == 401
    assert anna.client().get("/me").status_code == 401
    refresh = anna.visitor.post("/auth/tokens/refresh", json={"refresh_token": anna.tokens["refresh_token"]})
    assert refresh.status_code == (401 if "expires_at" in left else 200)


def test_a_disabled_account_is_shut_at_once(anna):
    browser = anna.browser()
    with session("auth") as connection:
        connection.execute("UPDATE auth.users SET disabled_at = now() WHERE user_id = %s", (anna.user_id,))
    assert browser.get("/me").status_code == 401
    assert anna.client().get("/me").status_code == 401
    assert anna.visitor.post("/auth/tokens", json=anna.credentials).status_code == 401
    refresh = anna.visitor.post("/auth/tokens/refresh", json={"refresh_token": anna.tokens["refresh_token"]})
    assert refresh.status_code == 401


def test_a_changed_password_ends_the_other_sessions_unless_they_are_kept(anna):
    client, browser = anna.client(), anna.browser()
    program = anna.client(client.post("/auth/personal-tokens", json={"name": "Reports"}).json()["token"])
    assert program.get("/workspaces").status_code == 200
    change = {"current_password": PASSWORD, "password": OTHER}
    assert client.post("/auth/password", json=change | {"current_password": OTHER}).status_code == 403
    assert client.post("/auth/password", json=change | {"password": "password123"}).status_code == 422
    assert browser.get("/me").status_code == 200
    assert client.post("/auth/password", json=change).status_code == 204
    assert (client.get("/me").status_code, browser.get("/me").status_code) == (200, 401)
    assert program.get("/workspaces").status_code == 401
    assert anna.visitor.post("/auth/tokens", json=anna.credentials).status_code == 401
    kept = anna.visitor.post("/auth/tokens", json=anna.credentials | {"password": OTHER}).json()
    back = {"current_password": OTHER, "password": PASSWORD, "keep_other_sessions": True}
    assert client.post("/auth/password", json=back).status_code == 204
    assert anna.client(kept["access_token"]).get("/me").status_code == 200
    assert anna.audited().count("password_changed") == 2


def test_a_program_with_a_token_does_what_its_scopes_allow_and_nothing_about_the_account(anna):
    made = anna.client().post("/auth/personal-tokens", json={"name": "Reports", "scopes": ["read"], "days": 30})
    assert made.status_code == 201, made.text
    secret, token_id = made.json()["token"], made.json()["token_id"]
    program = anna.client(secret)
    [home] = program.get("/workspaces").json()
    here = {"X-Outlay-Workspace": home["workspace_id"]}
    assert program.get("/expenses", headers=here).status_code == 200
    assert program.post("/expenses", json={}, headers=here).status_code == 403
    for method, path in [
        ("GET", "/me"),
        ("GET", "/auth/sessions"),
        ("POST", "/auth/personal-tokens"),
        ("POST", "/auth/password"),
        ("POST", "/auth/logout"),
        ("GET", "/metrics"),
    ]:
        assert program.request(method, path).status_code == 403, path
    [listed] = anna.client().get("/auth/personal-tokens").json()
    assert (listed["name"], listed["scopes"]) == ("Reports", ["read"])
    assert listed["seen_at"] is not None
    assert secret not in anna.client().get("/auth/personal-tokens").text
    assert anna.client().delete(f"/auth/personal-tokens/{token_id}").status_code == 204
    assert program.get("/workspaces").status_code == 401
    assert anna.client().delete(f"/auth/personal-tokens/{token_id}").status_code == 404


def test_a_profile_is_changed_by_events_and_keeps_what_was_not_named(anna):
    client = anna.client()
    changed = client.patch("/me", json={"name": "Anna B.", "locale": "de-DE"}).json()
    assert (changed["version"], changed["name"], changed["locale"]) == (2, "Anna B.", "de-DE")
    assert client.patch("/me", json={"locale": None}).json() == changed | {"version": 3, "locale": None}
    with session("owner") as connection:
        states = connection.execute(
            "SELECT version, state -> 'user' ->> 'name', decision FROM live.events "
            "WHERE entity_id = %s ORDER BY version",
            (anna.user_id,),
        ).fetchall()
    assert states == [(1, "Anna", "accepted"), (2, "Anna B.", "accepted"), (3, "Anna B.", "accepted")]


@pytest.mark.parametrize(
    "extra",
    [
        {"user_id": str(uuid4())},
        {"version": 7},
        {"email": "other@example.org"},
        {"role": "owner"},
        {"disabled_at": None},
    ],
)
def test_a_field_that_is_not_for_its_owner_to_set_is_refused(anna, extra):
    assert anna.client().patch("/me", json={"name": "X"} | extra).status_code == 422
    assert anna.client().get("/me").json()["version"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "not an address"},
        {"email": "two@addresses@example.org"},
        {"email": "a@example.org\r\nBcc: all@example.org"},
        {"password": "password123"},
        {"password": "x" * 1_001},
        {"name": ""},
        {"name": "Line\nbreak"},
        {"name": "x" * 101},
        {"currency": "euro"},
        {"time_zone": "Mars/Olympus"},
        {"locale": "<script>"},
        {"is_admin": True},
    ],
)
def test_a_sign_up_that_is_wrong_says_where(visitor, wrong):
    good = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, "name": "Anna"}
    answer = visitor.post("/auth/sign-up", json=good | wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(wrong)
    assert PASSWORD not in answer.text
    assert "x" * 1_001 not in answer.text


def test_a_new_signing_key_signs_and_the_one_before_is_good_while_its_tokens_are(anna, stack):
    before = anna.tokens["access_token"]
    with session("auth") as connection:
        kid = signing_keys.rotate(connection, stack, lifetime=LIFETIME)
    process.accounts().ring._read_at = float("-inf")
    after = anna.log_in()["access_token"]
    assert jwt.get_unverified_header(after)["kid"] == kid != jwt.get_unverified_header(before)["kid"]
    assert [anna.client(token).get("/me").status_code for token in (before, after)] == [200, 200]


def test_no_secret_is_anywhere_in_the_database_or_the_log(anna, stack):
    """In no column of `auth`, in no event, in no log: passwords, tokens and cookies are with people alone."""
    browser = anna.browser()
    made = anna.client().post("/auth/personal-tokens", json={"name": "Reports"}).json()
    secrets = [
        PASSWORD,
        anna.tokens["refresh_token"],
        anna.tokens["access_token"],
        made["token"],
        browser.cookies[session_cookie_name()],
    ]
    with session("owner") as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('auth', 'live')"
        ).fetchall()
        for (table,) in tables:
            for secret in secrets:
                found = connection.execute(
                    f"SELECT count(*) FROM {table} AS t WHERE strpos(t::text, %s) > 0 OR strpos(t::text, %s) > 0",  # noqa: S608
                    (secret, secret.encode().hex()),  # a column of bytes is shown in hexadecimal digits
                )
                assert found.fetchone() == (0,), (table, secret[:12])
    for log in (stack.home / "logs").glob("*.log"):
        said = log.read_text(errors="replace")
        assert not [secret[:12] for secret in secrets if secret in said], log


def test_the_app_sees_nothing_of_accounts(anna):
    with session("app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM auth.users")


def test_the_audit_log_is_a_chain_that_shows_what_was_done_to_it(anna, stack):
    anna.browser().post("/auth/logout")
    assert anna.audited() == ["logged_out", "logged_in", "logged_in", "account_made"]
    with session("auth") as connection:
        whole = audit.verify(connection)
        assert whole.entries >= 4
        connection.rollback()
        for change in ("UPDATE auth.audit SET entry = ''", "DELETE FROM auth.audit", "TRUNCATE auth.audit"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change)
            connection.rollback()
    with session("owner") as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute("DELETE FROM auth.audit")
        connection.rollback()
        connection.execute("ALTER TABLE auth.audit DISABLE TRIGGER append_only")
        middle = whole.entries - 2
        for change, problem in [
            (
                "UPDATE auth.audit SET entry = replace(entry, 'logged_in', 'logged_on') WHERE seq = %s",
                "is not what was",
            ),
            ("UPDATE auth.audit SET hash = sha256(hash) WHERE seq = %s", "is not what was"),
            ("DELETE FROM auth.audit WHERE seq = %s", "was removed or put in"),
        ]:
            with connection.transaction(force_rollback=True):
                assert connection.execute(change, (middle,)).rowcount == 1
                with pytest.raises(audit.Broken, match=problem):
                    audit.verify(connection)
        connection.rollback()


def test_a_login_does_not_outlive_the_password_that_it_was_made_with(anna, monkeypatch):
    """A reset that comes while a password is compared ends that login too."""
    from outlay.accounts import login, passwords

    compared = passwords.matches

    def meanwhile(kept: str, password: str) -> bool:
        right = compared(kept, password)
        with session("auth") as connection:
            connection.execute(
                "UPDATE auth.users SET password_hash = %s WHERE user_id = %s", (passwords.hashed(OTHER), anna.user_id)
            )
        return right

    monkeypatch.setattr(login.passwords, "matches", meanwhile)
    assert anna.visitor.post("/auth/tokens", json=anna.credentials).status_code == 401
    assert anna.visitor.post("/auth/login", json=anna.credentials).status_code == 401


@pytest.mark.parametrize(
    "shown", ["a\u0000b", "a\u0000@example.org", "", "x" * 255, "é" * 100, "'; DROP TABLE auth.users --"]
)
def test_no_text_instead_of_an_address_breaks_a_login(visitor, shown):
    answer = visitor.post("/auth/tokens", json={"email": shown, "password": OTHER})
    assert answer.status_code in (401, 422)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("scopes", [["write"], ["read", "read"], [], ["admin"], ["read", "write", "read"]])
def test_a_token_reads_or_reads_and_writes(anna, scopes):
    assert anna.client().post("/auth/personal-tokens", json={"name": "X", "scopes": scopes}).status_code == 422


def test_a_key_that_was_retired_longer_ago_than_a_token_lives_verifies_nothing(anna):
    with session("auth") as connection:
        signing_keys.rotate(connection, process.accounts().settings, lifetime=LIFETIME)
        connection.execute("UPDATE auth.signing_keys SET retired_at = retired_at - interval '1 hour'")
    process.accounts().ring._read_at = float("-inf")
    assert anna.client().get("/me").status_code == 401
    assert anna.client(anna.log_in()["access_token"]).get("/me").status_code == 200


def test_keys_encrypted_under_another_secret_are_named(stack, anna, monkeypatch, tmp_path):
    other = stack.model_copy(update={"home": tmp_path})
    (tmp_path / "secrets.json").write_text(json.dumps(stack.secrets | {"auth_key": "another one"}))
    (tmp_path / "state.json").write_text(json.dumps({"ports": stack.state}))
    ring = signing_keys.KeyRing(Settings(home=tmp_path), lifetime=LIFETIME)
    assert other.home == tmp_path
    with pytest.raises(NotConfigured, match="rotate-key"):
        ring.keys()


def test_a_closed_installation_makes_accounts_by_its_operator_alone(stack, api):
    given = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, "name": "Anna"}
    operator = {"Authorization": f"Bearer {stack.api_token.get_secret_value()}"}
    with open_installation(OUTLAY_SIGN_UP="closed") as closed:
        visitor = TestClient(closed)
        assert visitor.post("/auth/sign-up", json=given).status_code == 403
        assert visitor.post("/auth/sign-up", json=given, headers={"Authorization": "Bearer x"}).status_code == 403
        assert visitor.post("/auth/sign-up", json=given, headers=operator).status_code == 202
        assert visitor.post("/auth/tokens", json=given | {}).status_code == 422
        del given["name"]
        assert visitor.post("/auth/tokens", json=given).status_code == 200


@pytest.mark.parametrize(
    ("address", "scheme", "secure"),
    [("https://outlay.example.org", "http", True), ("", "https", True), ("http://127.0.0.1:8501", "http", False)],
)
def test_a_cookie_travels_over_tls_alone_where_people_come_by_tls(stack, address, scheme, secure):
    with open_installation(**({"OUTLAY_ADDRESS": address} if address else {})) as api:
        anna = Person(api)
        answer = TestClient(api, base_url=f"{scheme}://testserver").post("/auth/login", json=anna.credentials)
    assert ("; Secure" in answer.headers["set-cookie"]) == secure


def test_without_a_mail_server_nobody_is_told_that_mail_is_under_way(visitor, anna):
    answer = visitor.post("/auth/password/ask", json={"email": anna.email})
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "this installation sends no mail: ask whoever runs it",
    )
