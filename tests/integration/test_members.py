"""Who is in a workspace: invited, given a role, taken out, and back; and there is always somebody who owns it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from ingestion import events
from outlay.api import process
from outlay.db import session
from outlay.ledger import commands, members
from outlay.ledger.workspaces import ensure_workspace, workspaces_of
from tests.accounts import PASSWORD, Person, forgive_attempts, make_member, open_installation
from tests.support import outlay

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def api(stack):
    with open_installation() as api:
        yield api


class Home:
    """A workspace with its owner, and what others do there."""

    def __init__(self, api):
        forgive_attempts()
        self.api, self.owner = api, Person(api, "Anna")
        [self.workspace] = workspaces_of(self.owner.user_id)

    @property
    def workspace_id(self):
        return self.workspace.workspace_id

    def client(self, person: Person) -> TestClient:
        return person.client(**{"X-Outlay-Workspace": str(self.workspace_id)})

    def invitation(self, role: str = "viewer", **given) -> dict:
        made = self.client(self.owner).post("/invitations", json={"role": role} | given)
        assert made.status_code == 201, made.text
        return made.json()

    def joined(self, name: str, role: str) -> Person:
        person = Person(self.api, name)
        accepted = person.client().post("/invitations/accept", json={"code": self.invitation(role)["code"]})
        assert accepted.status_code == 200, accepted.text
        return person

    def roles(self) -> dict[str, str]:
        return {member["name"]: member["role"] for member in self.client(self.owner).get("/members").json()}


@pytest.fixture
def home(api) -> Home:
    return Home(api)


def set_role(client: TestClient, person: Person, role: str):
    return client.put(f"/members/{person.user_id}/role", json={"role": role})


def test_somebody_who_is_invited_is_in_and_a_code_is_good_once(home):
    code = home.invitation("editor")["code"]
    bert, carl = Person(home.api, "Bert"), Person(home.api, "Carl")
    accepted = bert.client().post("/invitations/accept", json={"code": code})
    assert accepted.json() == {"workspace_id": str(home.workspace_id), "role": "editor"}
    assert {each["role"] for each in bert.client().get("/workspaces").json()} == {"owner", "editor"}
    assert home.roles() == {"Anna": "owner", "Bert": "editor"}
    emails = {member["email"] for member in home.client(bert).get("/members").json()}
    assert emails == {home.owner.email, bert.email}
    assert carl.client().post("/invitations/accept", json={"code": code}).status_code == 403
    assert home.client(home.owner).get("/invitations").json() == []
    assert home.owner.audited()[0] == "invited"
    assert bert.audited()[0] == "joined"


def test_of_many_who_bring_one_code_at_once_one_is_in(home):
    code, people = home.invitation()["code"], [Person(home.api, f"Guest {number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda p: p.client().post("/invitations/accept", json={"code": code}), people))
    assert sorted(answer.status_code for answer in said) == [200, 403, 403, 403]
    assert len(home.roles()) == 2


def test_an_invitation_that_was_taken_back_or_is_over_lets_nobody_in(home):
    bert, owner = Person(home.api, "Bert"), home.client(home.owner)
    back, over = home.invitation(), home.invitation()
    assert [each["invitation_id"] for each in owner.get("/invitations").json()] == [
        *(over["invitation_id"], back["invitation_id"])
    ]
    assert owner.delete(f"/invitations/{back['invitation_id']}").status_code == 204
    assert owner.delete(f"/invitations/{back['invitation_id']}").status_code == 404
    with session("auth") as connection:
        connection.execute(
            "UPDATE auth.invitations SET expires_at = %s WHERE invitation_id = %s",
            (datetime.now(UTC) - timedelta(seconds=1), over["invitation_id"]),
        )
    for code in (back["code"], over["code"], "outlay_invitation_x", "x"):
        assert bert.client().post("/invitations/accept", json={"code": code}).status_code == 403
    assert owner.get("/invitations").json() == []


def test_an_invitation_is_no_better_than_who_gave_it_out(home):
    bert = home.joined("Bert", "owner")
    made = home.client(bert).post("/invitations", json={"role": "owner"}).json()
    assert set_role(home.client(home.owner), bert, "viewer").status_code == 200
    carl = Person(home.api, "Carl")
    assert carl.client().post("/invitations/accept", json={"code": made["code"]}).status_code == 403


@pytest.mark.parametrize("what", ["disable", "end-sessions"])
def test_an_invitation_does_not_outlive_its_givers_account(home, what):
    code, bert = home.invitation("owner")["code"], Person(home.api, "Bert")
    assert outlay("accounts", what, home.owner.email).returncode == 0
    assert bert.client().post("/invitations/accept", json={"code": code}).status_code == 403


def test_an_invitation_that_was_not_needed_stays_open(home):
    code = home.invitation("editor")["code"]
    bert = home.joined("Bert", "viewer")
    assert bert.client().post("/invitations/accept", json={"code": code}).json()["role"] == "viewer"
    carl = Person(home.api, "Carl")
    assert carl.client().post("/invitations/accept", json={"code": code}).json()["role"] == "editor"


def test_while_live_is_behind_nobodys_role_changes(home, monkeypatch):
    """Two owners who put each other down would both be obeyed, if each still looked like an owner."""
    bert = home.joined("Bert", "owner")
    monkeypatch.setattr(members, "_LEVEL", 0.2)
    monkeypatch.setattr(commands, "behind", lambda *_: 1)
    for answer in (
        set_role(home.client(home.owner), bert, "viewer"),
        home.client(home.owner).delete(f"/members/{bert.user_id}"),
    ):
        assert answer.status_code == 503
        assert "behind" in answer.json()["detail"]
    monkeypatch.undo()
    assert home.roles() == {"Anna": "owner", "Bert": "owner"}


def test_who_is_in_already_stays_what_they_are(home):
    again = home.owner.client().post("/invitations/accept", json={"code": home.invitation("viewer")["code"]})
    assert again.json()["role"] == "owner"
    assert home.roles() == {"Anna": "owner"}


def test_a_role_is_changed_by_an_owner_and_at_once(home):
    bert = home.joined("Bert", "viewer")
    theirs = home.client(bert)
    assert theirs.post("/expenses", json={}).status_code == 403
    changed = set_role(home.client(home.owner), bert, "editor").json()
    assert (changed["role"], changed["version"]) == ("editor", 2)
    assert theirs.post("/expenses", json={}).status_code == 422
    assert set_role(theirs, bert, "owner").status_code == 403
    assert set_role(home.client(home.owner), Person(home.api, "Nobody"), "owner").status_code == 404


def test_a_workspace_keeps_an_owner(home):
    owner, bert = home.client(home.owner), home.joined("Bert", "editor")
    assert set_role(owner, home.owner, "viewer").status_code == 409
    assert owner.delete(f"/members/{home.owner.user_id}").status_code == 409
    assert set_role(owner, bert, "owner").status_code == 200
    assert set_role(owner, home.owner, "viewer").status_code == 200
    assert set_role(home.client(bert), bert, "viewer").status_code == 409


def test_two_owners_who_put_each_other_down_at_once_leave_one(home):
    bert = home.joined("Bert", "owner")
    pairs = [(home.client(home.owner), bert), (home.client(bert), home.owner)]
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda pair: set_role(*pair, "viewer"), pairs))
    assert sorted(answer.status_code for answer in said) in ([200, 403], [200, 409]), [s.text for s in said]
    with session("operator", workspace_id=home.workspace_id) as connection:
        roles = connection.execute("SELECT role FROM live.members ORDER BY role").fetchall()
    assert roles == [("owner",), ("viewer",)]


def test_who_leaves_or_is_taken_out_sees_nothing_until_invited_again(home):
    bert, carl = home.joined("Bert", "viewer"), home.joined("Carl", "editor")
    assert home.client(carl).delete(f"/members/{bert.user_id}").status_code == 403
    assert home.client(bert).delete(f"/members/{bert.user_id}").status_code == 204
    assert home.client(home.owner).delete(f"/members/{carl.user_id}").status_code == 204
    assert home.roles() == {"Anna": "owner"}
    for person in (bert, carl):
        assert home.client(person).get("/expenses").status_code == 404
    again = bert.client().post("/invitations/accept", json={"code": home.invitation("editor")["code"]})
    assert again.json()["role"] == "editor"
    assert home.client(bert).get("/expenses").status_code == 200
    assert home.roles() == {"Anna": "owner", "Bert": "editor"}


def test_a_closed_installation_takes_who_is_invited(stack, api):
    home = Home(api)
    good, used = home.invitation()["code"], home.invitation()
    assert home.client(home.owner).delete(f"/invitations/{used['invitation_id']}").status_code == 204
    with open_installation(OUTLAY_SIGN_UP="closed") as closed:
        visitor = TestClient(closed)
        given = {"email": f"{uuid4().hex}@example.org", "password": PASSWORD, "name": "Bert"}
        for code in (None, used["code"], "x"):
            assert visitor.post("/auth/sign-up", json=given | {"invitation": code}).status_code == 403
        assert visitor.post("/auth/sign-up", json=given | {"invitation": good}).status_code == 202
        another = given | {"invitation": good, "email": f"{uuid4().hex}@example.org"}
        assert visitor.post("/auth/sign-up", json=another).status_code == 403, "one account for each"
        del given["name"]
        token = visitor.post("/auth/tokens", json=given).json()["access_token"]
        mine = {"Authorization": f"Bearer {token}"}
        assert visitor.post("/invitations/accept", json={"code": good}, headers=mine).status_code == 200


def test_another_workspace_is_made_once_for_a_key(home):
    client, key = home.owner.client(), {"Idempotency-Key": "the garden"}
    given = {"name": "Garden", "currency": "CHF", "time_zone": "Europe/Zurich"}
    one, other = (client.post("/workspaces", json=given, headers=key) for _ in range(2))
    assert (one.status_code, one.json()) == (201, other.json())
    assert [each["name"] for each in client.get("/workspaces").json()] == ["Anna", "Garden"]
    assert client.post("/workspaces", json=given | {"currency": "XXQ"}).status_code == 422


def test_what_a_workspace_is_called_is_its_owners_to_change(home):
    owner = home.client(home.owner)
    changed = owner.patch("/workspace", json={"name": "Our house", "currency": "USD"}).json()
    assert (changed["name"], changed["currency"], changed["time_zone"]) == ("Our house", "USD", "Europe/Berlin")
    [listed] = home.owner.client().get("/workspaces").json()
    assert listed == changed
    assert owner.patch("/workspace", json={"currency": "euro"}).status_code == 422


def test_the_operator_lets_people_into_what_was_imported(home):
    bert = Person(home.api, "Bert")
    name = f"Imported {uuid4()}"
    workspace = ensure_workspace(process.ledger(), name=name, currency="EUR")
    done = outlay("accounts", "admit", bert.email, "--workspace", name, "--role", "owner")
    assert done.returncode == 0, done.stderr
    there = bert.client(**{"X-Outlay-Workspace": str(workspace.workspace_id)})
    assert there.get("/expenses").status_code == 200
    assert "already" in outlay("accounts", "admit", bert.email, "--workspace", name).stderr
    assert outlay("accounts", "admit", bert.email, "--workspace", "of nobody").returncode == 1
    make_member(home.workspace_id, bert.user_id, "viewer")
    assert home.roles() == {"Anna": "owner", "Bert": "viewer"}


def test_a_name_that_somebody_chose_is_not_what_the_operator_means(home):
    name = f"Personal {uuid4()}"
    assert home.client(home.owner).patch("/workspace", json={"name": name}).status_code == 200
    mine = ensure_workspace(process.ledger(), name=name, currency="EUR")
    assert mine.workspace_id != home.workspace_id
    assert ensure_workspace(process.ledger(), name=name, currency="EUR").workspace_id == mine.workspace_id
    by_id = ensure_workspace(process.ledger(), name=str(home.workspace_id), currency="EUR")
    assert by_id.workspace_id == home.workspace_id


def test_a_membership_that_was_imported_under_another_id_is_changed_and_ended(home):
    """The simulator's have ids of their own."""
    bert = Person(home.api, "Bert")
    event = events.entity(
        entity="membership",
        entity_id=uuid4(),
        state={"user_id": bert.user_id, "role": "viewer"},
        workspace_id=home.workspace_id,
        source="simulator",
    )
    assert process.ledger().append("user", event, wait=30).decision == "accepted"
    assert set_role(home.client(home.owner), bert, "editor").json()["role"] == "editor"
    assert home.roles() == {"Anna": "owner", "Bert": "editor"}
    assert home.client(home.owner).delete(f"/members/{bert.user_id}").status_code == 204
    assert home.roles() == {"Anna": "owner"}
    again = bert.client().post("/invitations/accept", json={"code": home.invitation("viewer")["code"]})
    assert again.json()["role"] == "viewer"
    assert home.roles() == {"Anna": "owner", "Bert": "viewer"}
