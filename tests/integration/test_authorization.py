"""Who may do what: every route, as every kind of caller; and each of the two locks alone holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from starlette.routing import Route

from outlay.api import place, process, stream
from outlay.db import session
from outlay.ledger.workspaces import ensure_account, workspaces_of
from tests.accounts import PASSWORD, Person, forgive_attempts, make_member, open_installation
from tests.pictures import picture

pytestmark = [pytest.mark.integration, pytest.mark.small]

PEOPLE = ("owner", "editor", "viewer", "stranger")
CALLERS = (*PEOPLE, "reader", "writer", "operator", "anybody")
"""`reader`: a program of the owner that may read. `writer`: one of the viewer that may write what the viewer may.
`anybody`: without credentials."""

OK, WITHOUT, FORBIDDEN, HIDDEN = "ok", 401, 403, 404
READ = {"stranger": HIDDEN, "anybody": WITHOUT}
WRITE = READ | {"viewer": FORBIDDEN, "writer": FORBIDDEN, "reader": FORBIDDEN}
KNOWN = {"anybody": WITHOUT}
ACCOUNT = KNOWN | {"reader": FORBIDDEN, "writer": FORBIDDEN, "operator": FORBIDDEN}
OWNED = WRITE | {"editor": FORBIDDEN}
INVITED = OWNED | {"operator": FORBIDDEN}
OPERATOR = {name: FORBIDDEN for name in CALLERS if name != "operator"} | KNOWN
FREE: dict[str, int] = {}

ROUTES: dict[str, dict[str, int]] = {
    "POST /auth/sign-up": FREE,
    "POST /auth/confirm": FREE,
    "POST /auth/login": FREE,
    "POST /auth/tokens": FREE,
    "POST /auth/tokens/refresh": FREE,
    "POST /auth/password/ask": FREE,
    "POST /auth/password/reset": FREE,
    "GET /health": FREE,
    "GET /docs": FREE,
    "GET /openapi.json": FREE,
    "GET /metrics": OPERATOR,
    "POST /auth/logout": ACCOUNT,
    "POST /auth/password": ACCOUNT,
    "GET /auth/sessions": ACCOUNT,
    "DELETE /auth/sessions": ACCOUNT,
    "DELETE /auth/sessions/{session_id}": ACCOUNT,
    "GET /auth/personal-tokens": ACCOUNT,
    "POST /auth/personal-tokens": ACCOUNT,
    "DELETE /auth/personal-tokens/{token_id}": ACCOUNT,
    "GET /me": ACCOUNT,
    "PATCH /me": ACCOUNT,
    "PUT /me/picture": ACCOUNT,
    "GET /me/picture": ACCOUNT,
    "DELETE /me/picture": ACCOUNT,
    "GET /workspaces": KNOWN,
    "POST /workspaces": ACCOUNT,
    "PATCH /workspace": OWNED,
    "GET /members": READ,
    "GET /members/{user_id}/picture": READ,
    "PUT /members/{user_id}/role": OWNED,
    "DELETE /members/{user_id}": OWNED,
    "GET /invitations": OWNED,
    "POST /invitations": INVITED,
    "DELETE /invitations/{invitation_id}": INVITED,
    "POST /invitations/accept": ACCOUNT,
    "GET /accounts": READ,
    "POST /accounts": WRITE,
    "GET /accounts/{account_id}": READ,
    "PATCH /accounts/{account_id}": WRITE,
    "POST /accounts/{account_id}/close": WRITE,
    "POST /accounts/{account_id}/reopen": WRITE,
    "GET /categories": READ,
    "POST /categories": WRITE,
    "GET /categories/{category_id}": READ,
    "GET /categories/{category_id}/uses": READ,
    "PATCH /categories/{category_id}": WRITE,
    "POST /categories/{category_id}/archive": WRITE,
    "POST /categories/{category_id}/merge": WRITE,
    "POST /categories/{category_id}/restore": WRITE,
    "POST /expenses": WRITE,
    "POST /expenses/bulk": WRITE,
    "GET /expenses": READ,
    "GET /expenses/changes": READ,
    "GET /expenses/export": READ,
    "GET /expenses/stream": READ,
    "GET /expenses/{transaction_id}": READ,
    "PATCH /expenses/{transaction_id}": WRITE,
    "POST /expenses/{transaction_id}/void": WRITE,
    "POST /expenses/{transaction_id}/restore": WRITE,
    "GET /expenses/{transaction_id}/history": READ,
    "POST /expenses/{transaction_id}/attachments": WRITE,
    "GET /expenses/{transaction_id}/attachments/{attachment_id}": READ,
    "DELETE /expenses/{transaction_id}/attachments/{attachment_id}": WRITE,
    "GET /totals": READ,
    "GET /analytics/dashboard": READ,
}
"""What is not said of a caller is allowed."""
RECEIPT = {"file": ("r.png", picture("PNG"))}


@dataclass
class Town:
    """An installation: a workspace with its people, and everybody else."""

    workspace_id: UUID
    account_id: UUID
    people: dict[str, Person]
    clients: dict[str, TestClient]

    def expense(self) -> dict:
        return {
            "account_id": str(self.account_id),
            "occurred_on": "2026-03-14",
            "amount": "12.50",
            "currency": "EUR",
            "description": f"Bakery {uuid4()}",
        }

    def recorded(self, *, void: bool = False) -> tuple[str, str]:
        """(id, ETag) of an expense that the owner has just recorded."""
        made = self.clients["owner"].post("/expenses", json=self.expense())
        assert made.status_code == 201, made.text
        at, tag = made.json()["transaction_id"], made.headers["etag"]
        if void:
            tag = self.clients["owner"].post(f"/expenses/{at}/void", headers={"If-Match": tag}).headers["etag"]
        return at, tag

    def attached(self) -> tuple[str, str, str]:
        """(id, attachment id, ETag) of an expense that the owner has just recorded, with a receipt."""
        at, tag = self.recorded()
        made = self.clients["owner"].post(f"/expenses/{at}/attachments", files=RECEIPT, headers={"If-Match": tag})
        assert made.status_code == 201, made.text
        [found] = self.clients["owner"].get(f"/expenses/{at}").json()["attachments"]
        return at, found["attachment_id"], made.headers["etag"]

    def opened(self, *, closed: bool = False) -> tuple[str, str]:
        """(id, ETag) of an account that the owner has just opened."""
        made = self.clients["owner"].post("/accounts", json={"name": "Purse", "type": "cash", "currency": "EUR"})
        assert made.status_code == 201, made.text
        at, tag = made.json()["account_id"], made.headers["etag"]
        if closed:
            tag = self.clients["owner"].post(f"/accounts/{at}/close", headers={"If-Match": tag}).headers["etag"]
        return at, tag

    def named(self, *, archived: bool = False) -> tuple[str, str]:
        """(id, ETag) of a category that the owner has just made."""
        made = self.clients["owner"].post("/categories", json={"name": f"Own {uuid4()}"})
        assert made.status_code == 201, made.text
        at, tag = made.json()["category_id"], made.headers["etag"]
        if archived:
            tag = self.clients["owner"].post(f"/categories/{at}/archive", headers={"If-Match": tag}).headers["etag"]
        return at, tag

    def request(self, name: str, route: str) -> Response:
        """A request that is right in every way but, perhaps, who makes it."""
        client, (method, path) = self.clients[name], route.split(" ")
        body, headers, given, files = None, {}, {}, None
        match route:
            case "POST /expenses":
                body = self.expense()
            case "POST /accounts":
                body = {"name": "Purse", "type": "cash", "currency": "EUR"}
            case "POST /categories":
                body = {"name": f"Own {uuid4()}"}
            case "POST /expenses/bulk":
                body = {"expenses": [self.expense(), self.expense()]}
            case "GET /totals":
                given = {"from": "2026-03", "to": "2026-03"}
            case "PATCH /me":
                body = {"name": name.title()}
            case "PUT /me/picture":
                files = RECEIPT
            case "GET /me/picture" if name in PEOPLE:
                assert client.put("/me/picture", files=RECEIPT).status_code == 200
            case "GET /members/{user_id}/picture":
                path = path.format(user_id=self.shown())
            case "POST /auth/personal-tokens":
                body = {"name": "A program"}
            case "POST /workspaces":
                body = {"name": "Another", "currency": "EUR"}
            case "PATCH /workspace":
                body = {"name": f"By {name}"}
            case "PUT /members/{user_id}/role":
                body, path = {"role": "viewer"}, path.format(user_id=self.people["viewer"].user_id)
            case "DELETE /members/{user_id}":
                path = path.format(user_id=self.another())
            case "POST /invitations":
                body = {"role": "viewer"}
            case "POST /invitations/accept":
                body = {"code": self.invitation()["code"]}
            case "DELETE /invitations/{invitation_id}":
                path = path.format(invitation_id=self.invitation()["invitation_id"])
            case "POST /auth/password":
                body = {"current_password": PASSWORD, "password": PASSWORD + "!", "keep_other_sessions": True}
        if "{attachment_id}" in path:
            at, attachment_id, headers["If-Match"] = self.attached()
            path = path.format(transaction_id=at, attachment_id=attachment_id)
        elif "{transaction_id}" in path:
            at, headers["If-Match"] = self.recorded(void=path.endswith("restore"))
            path, body = path.format(transaction_id=at), {"note": "changed"} if method == "PATCH" else None
            files = RECEIPT if path.endswith("attachments") else None
        if "{account_id}" in path:
            at, headers["If-Match"] = self.opened(closed=path.endswith("reopen"))
            path, body = path.format(account_id=at), {"name": "Changed"} if method == "PATCH" else None
        if "{category_id}" in path:
            at, headers["If-Match"] = self.named(archived=path.endswith("restore"))
            path = path.format(category_id=at)
            body = {"name": f"Own {uuid4()}"} if method == "PATCH" else None
            if path.endswith("merge"):
                body = {"into": "food"}
        if "{session_id}" in path or "{token_id}" in path:
            path = self._theirs(name, path)
        return client.request(method, path, json=body, headers=headers, params=given, files=files)

    def invitation(self) -> dict:
        made = self.clients["owner"].post("/invitations", json={"role": "viewer"})
        assert made.status_code == 201, made.text
        return made.json()

    def another(self) -> UUID:
        """A member of whom nothing else is asked."""
        user_id = Person(self.people["owner"].api, "Another").user_id
        make_member(self.workspace_id, user_id, "viewer")
        return user_id

    def shown(self) -> UUID:
        """The owner, who has a picture."""
        assert self.clients["owner"].put("/me/picture", files=RECEIPT).status_code == 200
        return self.people["owner"].user_id

    def _theirs(self, name: str, path: str) -> str:
        if name not in PEOPLE:
            return path.format(session_id=uuid4(), token_id=uuid4())
        somebody = self.people[name]
        made = self.clients[name].post("/auth/personal-tokens", json={"name": "Short-lived"}).json()
        return path.format(session_id=somebody.log_in()["session_id"], token_id=made["token_id"])


@pytest.fixture(scope="module")
def api(stack):
    with open_installation() as api:
        yield api


@pytest.fixture
def town(api, stack) -> Town:
    """New for each test: some routes end what the next one needs."""
    forgive_attempts()
    people = {name: Person(api, name.title()) for name in PEOPLE}
    [home] = workspaces_of(people["owner"].user_id)
    for role in ("editor", "viewer"):
        make_member(home.workspace_id, people[role].user_id, role)
    account = ensure_account(process.ledger(), home, name="Card", currency="EUR", type="card")
    clients = {name: person.client() for name, person in people.items()}
    clients["reader"] = people["owner"].program("read")
    clients["writer"] = people["viewer"].program("read", "write")
    clients["operator"] = TestClient(api, headers={"Authorization": f"Bearer {stack.api_token.get_secret_value()}"})
    clients["anybody"] = TestClient(api)
    for client in clients.values():
        client.headers["X-Outlay-Workspace"] = str(home.workspace_id)
    return Town(home.workspace_id, account.account_id, people, clients)


def test_every_route_says_who_may_use_it(api):
    routes = {f"{method} {route.path}" for route in _routes(api) for method in route.methods - {"HEAD"}}
    assert routes == ROUTES.keys()


def _routes(api) -> Iterator[Route]:
    """Every route of the app and of the routers in it; what is neither, and might hide one, is an error."""
    for route in api.routes:
        if isinstance(route, Route):
            yield route
        else:
            yield from _routes(route.original_router)


@pytest.mark.parametrize("route", [route for route, refused in ROUTES.items() if refused])
def test_a_route_does_for_each_caller_what_it_says(town, route, monkeypatch):
    monkeypatch.setattr(stream.Follower, "is_admitted", lambda _: False)  # a stream ends when it has begun
    for name in CALLERS:
        answer = town.request(name, route)
        expected = ROUTES[route].get(name, OK)
        is_let_in = not answer.is_error or "nothing was built yet" in answer.text  # who may look learns that
        assert (OK if is_let_in else answer.status_code) == expected, f"{name}: {answer.text}"
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json"
            assert str(town.account_id) not in answer.text


def test_a_member_sees_what_a_stranger_does_not(town):
    at, _ = town.recorded()
    for name in ("owner", "editor", "viewer", "reader", "writer", "operator"):
        listed = town.clients[name].get("/expenses").json()["expenses"]
        assert [expense["transaction_id"] for expense in listed] == [at], name
        assert town.clients[name].get(f"/expenses/{at}").status_code == 200
    own = town.clients["stranger"].get("/workspaces").json()
    assert [home["role"] for home in own] == ["owner"]
    assert str(town.workspace_id) not in str(own)
    in_own = town.clients["stranger"].get(f"/expenses/{at}", headers={"X-Outlay-Workspace": own[0]["workspace_id"]})
    assert in_own.status_code == 404


def test_a_membership_that_ended_ends_what_it_allowed(town):
    from ingestion import events

    editor = town.people["editor"].user_id
    ended = events.entity(
        entity="membership",
        entity_id=events.derived_id(town.workspace_id, "membership", editor),
        state={"user_id": editor, "role": "editor"},
        version=2,
        operation="deleted",
        workspace_id=town.workspace_id,
        source="app",
    )
    assert town.clients["editor"].get("/expenses").status_code == 200
    assert process.ledger().append("user", ended, wait=30).decision == "accepted"
    assert town.clients["editor"].get("/expenses").status_code == 404
    assert town.clients["editor"].post("/expenses", json=town.expense()).status_code == 404


@contextmanager
def policies_that_let_everything_pass() -> Iterator[int]:
    """Row-level security taken out of use, in the real database: what `outlay_app` asks for, it gets."""
    with session("owner") as connection:
        held = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename), qual FROM pg_policies WHERE policyname = 'own_workspace'"
        ).fetchall()
        for table, _ in held:
            connection.execute(f"ALTER POLICY own_workspace ON {table} USING (true)")
    try:
        yield len(held)
    finally:
        with session("owner") as connection:
            for table, condition in held:
                connection.execute(f"ALTER POLICY own_workspace ON {table} USING ({condition})")


def as_member(town: Town, at: str, receipt: str, tag: str) -> dict[str, Callable[[TestClient], Response]]:
    return {
        "list": lambda client: client.get("/expenses"),
        "read": lambda client: client.get(f"/expenses/{at}"),
        "changes": lambda client: client.get("/expenses/changes"),
        "export": lambda client: client.get("/expenses/export"),
        "history": lambda client: client.get(f"/expenses/{at}/history"),
        "totals": lambda client: client.get("/totals", params={"from": "2026-03", "to": "2026-03"}),
        "accounts": lambda client: client.get("/accounts"),
        "account": lambda client: client.get(f"/accounts/{town.account_id}"),
        "open": lambda client: client.post("/accounts", json={"name": "Purse", "type": "cash", "currency": "EUR"}),
        "close": lambda client: client.post(f"/accounts/{town.account_id}/close", headers={"If-Match": '"1"'}),
        "categories": lambda client: client.get("/categories"),
        "uses": lambda client: client.get("/categories/food/uses"),
        "merge": lambda client: client.post(
            "/categories/food/merge", json={"into": "leisure"}, headers={"If-Match": '"0"'}
        ),
        "receipt": lambda client: client.get(f"/expenses/{at}/attachments/{receipt}"),
        "picture": lambda client: client.get(f"/members/{town.shown()}/picture"),
        "attach": lambda client: client.post(f"/expenses/{at}/attachments", files=RECEIPT, headers={"If-Match": tag}),
        "detach": lambda client: client.delete(f"/expenses/{at}/attachments/{receipt}", headers={"If-Match": tag}),
        "record": lambda client: client.post("/expenses", json=town.expense()),
        "record many": lambda client: client.post("/expenses/bulk", json={"expenses": [town.expense()]}),
        "amend": lambda client: client.patch(f"/expenses/{at}", json={"note": "x"}, headers={"If-Match": tag}),
        "void": lambda client: client.post(f"/expenses/{at}/void", headers={"If-Match": tag}),
    }


def test_without_row_level_security_the_code_still_refuses(town, api):
    """Second lock alone: a stranger finds nothing, and a member nothing of another workspace."""
    at, receipt, tag = town.attached()
    neighbour = Person(api, "Neighbour")
    [next_door] = workspaces_of(neighbour.user_id)
    card = ensure_account(process.ledger(), next_door, name="Card", currency="EUR", type="card")
    theirs = {"X-Outlay-Workspace": str(next_door.workspace_id)}
    made = neighbour.client(**theirs).post("/expenses", json=town.expense() | {"account_id": str(card.account_id)})
    assert made.status_code == 201, made.text
    before = town.clients["owner"].get("/expenses").json()
    with policies_that_let_everything_pass() as count:
        assert count >= 5
        with session("app", workspace_id=town.workspace_id, user_id=neighbour.user_id) as connection:
            assert connection.execute("SELECT count(*) > 1 FROM live.transactions").fetchone() == (True,), "it is off"
        for what, ask in as_member(town, at, receipt, tag).items():
            assert ask(town.clients["stranger"]).status_code == 404, what
        assert town.clients["viewer"].post("/expenses", json=town.expense()).status_code == 403
        assert as_member(town, at, receipt, tag)["attach"](town.clients["viewer"]).status_code == 403
        assert town.clients["owner"].get("/expenses").json() == before
        assert town.clients["owner"].get(f"/expenses/{made.json()['transaction_id']}").status_code == 404
    with session("app", workspace_id=town.workspace_id, user_id=neighbour.user_id) as connection:
        assert connection.execute("SELECT count(*) FROM live.transactions").fetchone() == (0,), "it is on again"


def test_without_the_check_in_the_code_row_level_security_still_refuses(town, monkeypatch):
    """First lock alone: the API takes everybody for an owner of every workspace, and the database does not."""
    at, receipt, tag = town.attached()
    everything = place.all_workspaces()
    monkeypatch.setattr(place, "workspaces", lambda _: everything)
    stranger = {what: ask(town.clients["stranger"]) for what, ask in as_member(town, at, receipt, tag).items()}
    assert stranger["list"].json() == {"expenses": [], "next": None}
    assert stranger["changes"].json()["expenses"] == []
    assert stranger["accounts"].json() == []
    assert len(stranger["export"].text.splitlines()) == 1, "the header"
    assert [stranger[what].status_code for what in ("read", "history", "account", "receipt", "picture")] == [404] * 5
    assert stranger["totals"].json() == []
    writes = ("record", "record many", "amend", "void", "attach", "detach", "open", "close", "merge")
    assert {what: stranger[what].status_code for what in writes} == dict.fromkeys(writes, 403)
    assert stranger["uses"].json()["expenses"] == 0
    tree = town.clients["owner"].get("/categories").json()
    assert {(each["version"], each["archived"]) for each in tree} == {(0, False)}
    assert town.clients["viewer"].post("/expenses", json=town.expense()).status_code == 403
    expense = town.clients["owner"].get(f"/expenses/{at}").json()
    assert (expense["version"], expense["note"], len(expense["attachments"])) == (2, None, 1)
    assert len(town.clients["owner"].get("/expenses").json()["expenses"]) == 1


def test_a_session_for_nobody_sees_nothing(town):
    town.recorded()
    stranger = town.people["stranger"].user_id
    for given in ({}, {"user_id": stranger}, {"user_id": UUID(int=0)}):
        with session("app", workspace_id=town.workspace_id, **given) as connection:
            for table in ("events", "transactions", "transaction_lines", "monthly_totals", "entities"):
                seen = connection.execute(
                    f"SELECT count(*) FROM live.{table} WHERE workspace_id = %s",  # noqa: S608
                    (town.workspace_id,),
                )
                assert seen.fetchone() == (0,), (table, given)


def test_a_person_reads_their_own_profile_and_nobody_elses(town):
    with session("app", user_id=town.people["viewer"].user_id) as connection:
        seen = connection.execute("SELECT DISTINCT entity_id FROM live.entities WHERE entity = 'user'").fetchall()
        told = connection.execute("SELECT DISTINCT entity_id FROM live.events WHERE entity = 'user'").fetchall()
    assert seen == told == [(town.people["viewer"].user_id,)]


def test_the_operators_rights_are_not_the_apps(town):
    import psycopg

    with session("app", user_id=town.people["owner"].user_id) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM live.all_workspaces()")
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE outlay_operator")
