"""The door of the pages: without the key's cookie nothing of them is served, and their websocket is not opened."""

from __future__ import annotations

import html
from importlib import resources

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay.api import access

_OWN_CHECK = "/api"
"""Programs show the key itself there, on each request."""
_FOR_ALL = "/_stcore/health"
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
}
_PAGES_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
)
"""Nothing is fetched from another host or framed by one. Charts compile their expressions, hence the eval."""


class Door:
    """ASGI middleware: ``/open`` trades the key for a cookie; without one, every page is the form that asks for it."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        visitor = HTTPConnection(scope)
        path = visitor.url.path
        if path in (_OWN_CHECK, _FOR_ALL) or path.startswith(f"{_OWN_CHECK}/"):
            await self.app(scope, receive, send)
        elif path == "/open" and scope["type"] == "http":
            await (await _open(Request(scope, receive)))(scope, receive, send)
        elif access.has_cookie(visitor.cookies):
            await self.app(scope, receive, _guarded(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "the key is needed"})
        else:
            await _refusal(visitor)(scope, receive, send)


def _guarded(send: Send) -> Send:
    async def send_with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = _PAGES_POLICY
            headers["Referrer-Policy"] = "same-origin"
        await send(message)

    return send_with_policy


async def _open(request: Request) -> Response:
    """GET with ``?key=``, as in the link that ``outlay up`` prints, or POST of the form."""
    if request.method == "POST":
        async with request.form(max_files=0, max_fields=4, max_part_size=4096) as form:
            key, wanted = str(form.get("key", "")), str(form.get("next", "/"))
    else:
        key, wanted = request.query_params.get("key", ""), request.query_params.get("next", "/")
    if not access.is_key(key.strip()):
        return _form(_local(wanted), problem="That is not the key of this installation." if key else "")
    answer = RedirectResponse(_local(wanted), status_code=303, headers=_PRIVATE)
    answer.set_cookie(
        access.cookie_name(),
        access.cookie_value(),
        max_age=access.COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _refusal(visitor: HTTPConnection) -> Response:
    if "text/html" not in visitor.headers.get("accept", ""):
        return PlainTextResponse("the key is needed: open /open first", status_code=401, headers=_PRIVATE)
    query = f"?{visitor.url.query}" if visitor.url.query else ""
    return _form(_local(visitor.url.path + query))


def _form(wanted: str, *, problem: str = "") -> Response:
    template = resources.files(__package__).joinpath("door.html").read_text(encoding="utf-8")
    shown = template.replace("{{next}}", html.escape(wanted)).replace("{{problem}}", html.escape(problem))
    return HTMLResponse(shown, status_code=401, headers=_PRIVATE)


def _local(wanted: str) -> str:
    """The path to go on to: of this site, never another's."""
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\", "/open")) else "/"
