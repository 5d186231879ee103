"""With a mail server, an address is known to be its owner's before anything about them is stored in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from outlay.accounts import attempts
from outlay.api import process
from outlay.db import session
from tests.accounts import OTHER, PASSWORD, forgive_attempts, open_installation
from tests.mail_server import Inbox, Server
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def api(stack) -> Iterator[tuple[TestClient, Inbox]]:
    """The API with a mail server, which it knows from its start on."""
    server = Server()
    url, address = f"smtp://127.0.0.1:{server.port}", "https://outlay.example.org/"
    with open_installation(OUTLAY_SMTP_URL=url, OUTLAY_ADDRESS=address) as api:
        yield TestClient(api), server.inbox
    server.stop()


@pytest.fixture
def visitor(api) -> TestClient:
    forgive_attempts()
    return api[0]


@pytest.fixture
def inbox(api) -> Inbox:
    return api[1]


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.org"


def sign_up(visitor, email: str, password: str = PASSWORD, name: str = "Anna") -> None:
    answer = visitor.post("/auth/sign-up", json={"email": email, "password": password, "name": name})
    assert answer.status_code == 202, answer.text


def log_in(visitor, email: str, password: str = PASSWORD):
    return visitor.post("/auth/tokens", json={"email": email, "password": password})


def code_in(message) -> str:
    assert message["From"] == "outlay@localhost"
    text = message.get_payload(decode=True).decode()
    assert "https://outlay.example.org" in text
    [code] = re.findall(r"^    (outlay_mail_\S+)\s*$", text, re.M)
    return code


def events_of(email: str) -> int:
    """How many events are there, or wait to be, of whoever has this address."""
    with session("owner") as connection:
        (count,) = connection.execute(
            "SELECT (SELECT count(*) FROM live.events AS e WHERE e.actor_id = u.user_id) "
            "+ (SELECT count(*) FROM auth.outbox AS o WHERE o.user_id = u.user_id) "
            "FROM auth.users AS u WHERE email = %s",
            (email,),
        ).fetchone()
    return count


def test_an_account_is_good_once_its_address_is_confirmed(visitor, inbox, email):
    sign_up(visitor, email)
    code = code_in(inbox.next_to(email))
    assert log_in(visitor, email).status_code == 403
    assert log_in(visitor, email, OTHER).status_code == 401, "who does not know the password learns nothing"
    assert events_of(email) == 0
    given = {"code": code, "password": PASSWORD}
    assert visitor.post("/auth/confirm", json=given).status_code == 204
    token = log_in(visitor, email).json()["access_token"]
    assert visitor.get("/me", headers={"Authorization": f"Bearer {token}"}).json()["email"] == email
    until(lambda: events_of(email) == 6, what="three events, in the outbox and in live")
    assert visitor.post("/auth/confirm", json=given).status_code == 401, "a code is good once"


@pytest.mark.parametrize("first", [PASSWORD, OTHER])
def test_an_address_that_nobody_confirmed_is_its_owners_to_take(visitor, inbox, email, first):
    """Two sign up with it, in either order; Anna reads the mailbox. Nobody gets in with the other one's password."""
    second = OTHER if first == PASSWORD else PASSWORD
    names = {PASSWORD: "Anna", OTHER: "Mallory"}
    sign_up(visitor, email, password=first, name=names[first])
    before = code_in(inbox.next_to(email))
    sign_up(visitor, email, password=second, name=names[second])
    code = code_in(inbox.next_to(email))
    assert visitor.post("/auth/confirm", json={"code": before, "password": PASSWORD}).status_code == 401
    answer = visitor.post("/auth/confirm", json={"code": code, "password": PASSWORD})
    if second == OTHER:
        assert answer.status_code == 401
        assert log_in(visitor, email, OTHER).status_code == 403, "it is confirmed by nobody"
        sign_up(visitor, email)
        code = code_in(inbox.next_to(email))
        answer = visitor.post("/auth/confirm", json={"code": code, "password": PASSWORD})
    assert answer.status_code == 204
    assert log_in(visitor, email, OTHER).status_code == 401
    token = log_in(visitor, email).json()["access_token"]
    assert visitor.get("/me", headers={"Authorization": f"Bearer {token}"}).json()["name"] == "Anna"


def test_mailboxes_that_only_look_alike_are_two(visitor, inbox):
    """A sharp s and two of them are two domains; who has the one gets no code of the other."""
    name = uuid4().hex
    sign_up(visitor, f"{name}@stra\u00dfe.de", password=OTHER, name="Mallory")
    sign_up(visitor, f"{name}@strasse.de")
    code = code_in(inbox.next_to(f"{name}@strasse.de"))
    assert visitor.post("/auth/confirm", json={"code": code, "password": PASSWORD}).status_code == 204
    visitor.post("/auth/password/ask", json={"email": f"{name}@strasse.de"})
    assert "choose a new password" in inbox.next_to(f"{name}@strasse.de")["Subject"]


def confirmed(visitor, inbox, email: str) -> None:
    sign_up(visitor, email)
    given = {"code": code_in(inbox.next_to(email)), "password": PASSWORD}
    assert visitor.post("/auth/confirm", json=given).status_code == 204


def test_who_has_an_account_is_told_of_a_sign_up_and_nothing_changes(visitor, inbox, email):
    confirmed(visitor, inbox, email)
    sign_up(visitor, email, password=OTHER)
    assert "already" in inbox.next_to(email)["Subject"]
    assert log_in(visitor, email, OTHER).status_code == 401
    assert log_in(visitor, email).status_code == 200


def test_a_forgotten_password_is_replaced_with_a_code_that_is_good_once(visitor, inbox, email):
    confirmed(visitor, inbox, email)
    before = log_in(visitor, email).json()
    unknown = visitor.post("/auth/password/ask", json={"email": f"{uuid4().hex}@example.org"})
    known = visitor.post("/auth/password/ask", json={"email": email.upper()})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, known.json())
    first = code_in(inbox.next_to(email))
    visitor.post("/auth/password/ask", json={"email": email})
    code = code_in(inbox.next_to(email))
    given = {"code": code, "password": OTHER}
    assert visitor.post("/auth/password/reset", json=given | {"code": first}).status_code == 401, "a newer one went out"
    assert visitor.post("/auth/password/reset", json=given | {"password": "password123"}).status_code == 422
    assert visitor.post("/auth/password/reset", json=given).status_code == 204
    assert "was changed" in inbox.next_to(email)["Subject"]
    assert visitor.post("/auth/password/reset", json=given).status_code == 401
    assert visitor.get("/me", headers={"Authorization": f"Bearer {before['access_token']}"}).status_code == 401
    assert [log_in(visitor, email, password).status_code for password in (PASSWORD, OTHER)] == [401, 200]


def test_a_code_is_good_for_its_purpose_and_its_time(visitor, inbox, email):
    sign_up(visitor, email)
    code = code_in(inbox.next_to(email))
    assert visitor.post("/auth/password/reset", json={"code": code, "password": OTHER}).status_code == 401
    with session("auth") as connection:
        connection.execute("UPDATE auth.mailed_tokens SET expires_at = now() WHERE used_at IS NULL")
    assert visitor.post("/auth/confirm", json={"code": code, "password": PASSWORD}).status_code == 401


def test_nobody_is_flooded_with_mail(visitor, inbox, email):
    confirmed(visitor, inbox, email)
    for _ in range(attempts.MAILS.attempts + 3):
        assert visitor.post("/auth/password/ask", json={"email": email}).status_code == 202
    for _ in range(2):  # who asks is looked up in the thread of the mails, which then sends
        process.accounts().post._thread.submit(lambda: None).result()
    assert len([mail for mail in inbox.mails if mail["To"] == email]) == attempts.MAILS.attempts - 1
    inbox.mails.clear()


def test_a_login_after_wrong_passwords_and_a_stolen_token_are_told(visitor, inbox, email):
    confirmed(visitor, inbox, email)
    for _ in range(3):
        log_in(visitor, email, OTHER)
    tokens = log_in(visitor, email).json()
    assert "wrong passwords" in inbox.next_to(email)["Subject"]
    for _ in range(2):
        visitor.post("/auth/tokens/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert "a session was ended" in inbox.next_to(email)["Subject"]


def test_no_mail_holds_a_password_or_a_token(visitor, inbox, email):
    confirmed(visitor, inbox, email)
    tokens = log_in(visitor, email).json()
    visitor.post(
        "/auth/password",
        json={"current_password": PASSWORD, "password": OTHER},
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
    )
    text = inbox.next_to(email).get_payload(decode=True).decode()
    assert not [secret for secret in (PASSWORD, OTHER, *map(str, tokens.values())) if secret in text]


def test_an_invitation_goes_to_whom_it_is_for_and_to_nobody_else(visitor, inbox, email):
    confirmed(visitor, inbox, email)
    mine = {"Authorization": f"Bearer {log_in(visitor, email).json()['access_token']}"}
    [home] = visitor.get("/workspaces", headers=mine).json()
    guest = f"{uuid4().hex}@example.org"
    here = mine | {"X-Outlay-Workspace": home["workspace_id"]}
    made = visitor.post("/invitations", json={"role": "editor", "email": guest}, headers=here).json()
    assert (made["email"], made["code"]) == (guest, None)
    text = inbox.next_to(guest).get_payload(decode=True).decode()
    [code] = re.findall(r"^    (outlay_invitation_\S+)\s*$", text, re.M)
    confirmed(visitor, inbox, guest)
    theirs = {"Authorization": f"Bearer {log_in(visitor, guest).json()['access_token']}"}
    joined = visitor.post("/invitations/accept", json={"code": code}, headers=theirs)
    assert joined.json() == {"workspace_id": home["workspace_id"], "role": "editor"}
