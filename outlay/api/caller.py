"""Who makes a request.

Programs show a token (``Authorization: Bearer``): an access token, a personal one, or the installation's key. Browsers
show the cookie of their session; what such a request changes must come from a page of this site.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from outlay.accounts import access_tokens, personal_tokens, sessions
from outlay.accounts.errors import NotAdmitted
from outlay.accounts.origin import Origin
from outlay.accounts.personal_tokens import SCOPES, Scope
from outlay.api import access
from outlay.api.problems import Failed
from outlay.api.process import accounts
from outlay.db import session

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_bearer = HTTPBearer(
    auto_error=False,
    description="An access token (POST /auth/tokens), a personal token, or the key that `outlay link --key` prints.",
)


Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True)
class Caller:
    """Who asks. `operator`: whoever holds the installation's key, and sees every workspace. Without a `session_id` it
    is a program with a personal token, which reaches no account."""

    kind: Literal["operator", "person", "program"]
    user_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[Scope] = SCOPES


def origin(request: Request) -> Origin:
    return Origin.of(request.client.host if request.client else None, request.headers.get("user-agent"))


From = Annotated[Origin, Depends(origin)]


def private(response: Response) -> None:
    """What is about an account is kept by no cache."""
    response.headers["Cache-Control"] = "no-store"


def by_operator(shown: Shown) -> bool:
    """Whether the request shows the installation's key, where it may come without any."""
    return shown is not None and access.is_key(shown.credentials)


ByOperator = Annotated[bool, Depends(by_operator)]


def caller(request: Request, shown: Shown) -> Caller:
    """Who asks.

    Raises:
        Failed: 401 without credentials that are good; 403 when a browser was sent here by another site.
    """
    found = _by_token(shown.credentials) if shown is not None else _by_cookie(request)
    if found is None:
        raise Failed(
            HTTPStatus.UNAUTHORIZED,
            "log in, or send a token: Authorization: Bearer <token>",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


def _by_token(token: str) -> Caller | None:
    if access.is_key(token):
        return Caller("operator")
    if token.startswith("outlay_token_"):
        with session("auth", autocommit=True) as connection:
            program = personal_tokens.user_of(connection, token)
        return Caller("program", program[0], None, program[1]) if program else None
    if token.count(".") != 2:
        return None  # no JSON Web Token
    try:
        claimed = access_tokens.verified(accounts().ring, token)
    except NotAdmitted:
        return None
    with session("auth", autocommit=True) as connection:
        person = sessions.user_of_session(connection, claimed.session_id)
    return Caller("person", *person) if person and person[0] == claimed.user_id else None


def _by_cookie(request: Request) -> Caller | None:
    secret = request.cookies.get(access.session_cookie_name())
    if not secret:
        return None
    with session("auth", autocommit=True) as connection:
        person = sessions.user_of_cookie(connection, secret)
    if person is None:
        return None
    if request.method not in SAFE and not _from_this_site(request):
        raise Failed(HTTPStatus.FORBIDDEN, "a browser's session changes things from this site's own pages alone")
    return Caller("person", *person)


def _from_this_site(request: Request) -> bool:
    """Whether a page of this site sent the request, as the browser says itself (Fetch Metadata, else Origin)."""
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


Asking = Annotated[Caller, Depends(caller)]


def person(asking: Asking) -> Caller:
    """Somebody with a session: what is about an account is not for programs, nor for the operator, who has none."""
    if asking.session_id is None:
        raise Failed(HTTPStatus.FORBIDDEN, "this is about an account: log in as its owner")
    return asking


Person = Annotated[Caller, Depends(person)]


def operator(asking: Asking) -> Caller:
    """Whoever holds the installation's key."""
    if asking.kind != "operator":
        raise Failed(HTTPStatus.FORBIDDEN, "this is for whoever runs this installation, with its key")
    return asking
