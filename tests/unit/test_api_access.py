"""Nobody comes in without the key, and the key is nowhere to be found but in the hand of who has it."""

import logging

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from outlay.api import access, app
from outlay.api.door import Door
from outlay.settings import settings

KEY = "a-key-of-thirty-two-characters-or-more"


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    (tmp_path / "secrets.json").write_text(f'{{"api_token": "{KEY}"}}')
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    settings.cache_clear()
    yield KEY
    settings.cache_clear()


async def _echo(websocket):
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


@pytest.fixture
def visitor():
    """A browser before the door of a site with one page and one websocket."""
    routes = [Route("/expenses", lambda _: PlainTextResponse("the page")), WebSocketRoute("/_stcore/stream", _echo)]
    return TestClient(Door(Starlette(routes=routes)), headers={"accept": "text/html"}, follow_redirects=False)


def test_a_browser_without_the_key_gets_the_form_and_nothing_of_the_page(visitor):
    answer = visitor.get("/expenses?text=caf%C3%A9")
    assert answer.status_code == 401
    assert "the page" not in answer.text
    assert 'value="/expenses?text=caf%C3%A9"' in answer.text


def test_a_websocket_without_the_key_is_not_opened(visitor):
    with pytest.raises(WebSocketDisconnect) as closed, visitor.websocket_connect("/_stcore/stream"):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("wrong", ["", "wrong", KEY[:-1], KEY + "x", "clé"])
def test_a_wrong_key_opens_nothing(visitor, wrong):
    for answer in (visitor.get("/open", params={"key": wrong}), visitor.post("/open", data={"key": wrong})):
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("how", ["link", "form"])
def test_the_key_is_traded_for_a_cookie_that_does_not_reveal_it(visitor, how):
    fields = {"key": KEY, "next": "/expenses"}
    answer = visitor.get("/open", params=fields) if how == "link" else visitor.post("/open", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/expenses")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert KEY not in cookie
    assert visitor.get("/expenses").text == "the page"
    with visitor.websocket_connect("/_stcore/stream") as socket:
        assert socket.receive_text() == "in"


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:0"])
def test_the_door_sends_nobody_to_another_site(visitor, elsewhere):
    assert visitor.get("/open", params={"key": KEY, "next": elsewhere}).headers["location"] == "/"


def test_pages_may_fetch_nothing_from_other_hosts_and_be_framed_by_none(visitor):
    visitor.get("/open", params={"key": KEY})
    policy = visitor.get("/expenses").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


def test_another_installations_cookie_is_another_cookie(monkeypatch, tmp_path):
    mine = access.cookie_name(), access.cookie_value()
    (tmp_path / "secrets.json").write_text('{"api_token": "the key of another installation here"}')
    settings.cache_clear()
    assert not access.has_cookie({mine[0]: mine[1]})
    assert not access.has_cookie({access.cookie_name(): mine[1]})


def test_a_web_servers_log_never_holds_the_key(caplog):
    logger = logging.getLogger("uvicorn.access")
    guard = access.WithoutKey()
    logger.addFilter(guard)
    try:
        with caplog.at_level("INFO", logger="uvicorn.access"):
            logger.propagate = True
            logger.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", f"/open?next=/&key={KEY}", "1.1", 303)
            logger.info(f"GET /open?key={KEY}&next=/ 303")
    finally:
        logger.removeFilter(guard)
    assert KEY not in caplog.text
    assert "/open?next=/&key=***" in caplog.text
    assert "&next=/ 303" in caplog.text


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", f"Basic {KEY}", "Bearer"])
@pytest.mark.parametrize("path", ["/workspaces", "/expenses", "/expenses/00000000-0000-0000-0000-000000000001"])
def test_the_api_wants_credentials_on_every_request(path, authorization):
    answer = TestClient(app.create()).get(path, headers={"Authorization": authorization} if authorization else {})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_operation_but_those_that_lead_in_wants_credentials():
    operations = {
        f"{method} {path}": "security" in operation
        for path, methods in app.create().openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert {name for name, locked in operations.items() if not locked} == {
        "get /health",
        "post /auth/confirm",
        "post /auth/login",
        "post /auth/tokens",
        "post /auth/tokens/refresh",
        "post /auth/password/ask",
        "post /auth/password/reset",
    }


def test_the_reference_page_needs_nothing_from_elsewhere():
    page = TestClient(app.create()).get("/docs").text
    assert "<b>PATCH</b> /api/expenses/{transaction_id}" in page
    assert "If-Match" in page or "if-match" in page
    assert "<script" not in page
    assert "https://" not in page
