"""Who makes a request, and which workspace it is about.

Programs show a token (``Authorization: Bearer``): an access token, a personal one, or the installation's key. Browsers
show the cookie of their session; what such a request changes must come from a page of this site.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from fastapi import Depends, Header, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ingestion.events import derived_id, owner_of
from outlay.accounts import access_tokens, personal_tokens, sessions
from outlay.accounts.errors import NotAdmitted
from outlay.accounts.origin import Origin
from outlay.accounts.personal_tokens import SCOPES, Scope
from outlay.api import access
from outlay.api.problems import Failed
from outlay.api.process import accounts, ledger
from outlay.db import session
from outlay.ledger.commands import WRITERS, Ledger
from outlay.ledger.workspaces import Workspace, all_workspaces, workspaces_of

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(
    auto_error=False,
    description="An access token (POST /auth/tokens), a personal token, or the key that `outlay link --key` prints.",
)


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


def by_operator(shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> bool:
    """Whether the request shows the installation's key, where it may come without any."""
    return shown is not None and access.is_key(shown.credentials)


ByOperator = Annotated[bool, Depends(by_operator)]


def caller(request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
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
    if request.method not in _SAFE and not _from_this_site(request):
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


def workspaces(asking: Caller) -> list[Workspace]:
    """The workspaces that the caller may see."""
    if "read" not in asking.scopes:
        raise Failed(HTTPStatus.FORBIDDEN, "the token may not read: make one that may")
    return all_workspaces() if asking.user_id is None else workspaces_of(asking.user_id)


@dataclass(frozen=True, kw_only=True)
class Place(Workspace):
    """The workspace that a request is about, and who acts in it: `user_id`, or the operator as `actor_id`."""

    actor_id: UUID
    user_id: UUID | None

    def session(self) -> AbstractContextManager[psycopg.Connection]:
        """A database session that sees this workspace, as this user."""
        role = "operator" if self.user_id is None else "app"
        return session(role, workspace_id=self.workspace_id, user_id=self.user_id)

    def ledger(self) -> Ledger:
        """The process's ledger, for this user."""
        return ledger().acting_for(self.user_id)

    def event_id(self, idempotency_key: str | None) -> UUID | None:
        """The id that a caller's own key makes: the same one for each retry, and another one for each caller."""
        by = (self.user_id,) if self.user_id else ()
        return derived_id(self.workspace_id, "api", *by, idempotency_key) if idempotency_key else None


def place(
    request: Request,
    asking: Asking,
    named: Annotated[
        UUID | None, Header(alias="X-Outlay-Workspace", description="Its id; GET /workspaces lists them.")
    ] = None,
) -> Place:
    """The workspace that the request names, if the caller may do there what the request asks."""
    if named is None:
        raise Failed(
            HTTPStatus.BAD_REQUEST, "say which workspace: X-Outlay-Workspace: <id>; GET /api/workspaces lists them"
        )
    for known in workspaces(asking):
        if known.workspace_id == named:
            _check_may(request.method, asking, known)
            actor = asking.user_id or owner_of(named)
            return Place(**vars(known), actor_id=actor, user_id=asking.user_id)
    raise Failed(HTTPStatus.NOT_FOUND, f"there is no workspace {named}; GET /api/workspaces lists them")


def _check_may(method: str, asking: Caller, there: Workspace) -> None:
    if method in _SAFE:
        return
    if "write" not in asking.scopes:
        raise Failed(HTTPStatus.FORBIDDEN, "the token may not write: make one that may")
    if there.role not in WRITERS:
        raise Failed(
            HTTPStatus.FORBIDDEN, f"your role in this workspace is {there.role}: its owner can make you an editor"
        )


CurrentWorkspace = Annotated[Place, Depends(place)]


IdempotencyKey = Annotated[
    str | None, Header(max_length=200, description="Made by you: the same key again is the same event.")
]


@dataclass(frozen=True)
class SeenVersion:
    """The version of a thing that the caller has read, and the key that makes a retry the same event."""

    version: int
    idempotency_key: str | None

    def of(self, workspace: Place) -> dict[str, Any]:
        """The ledger's arguments that say who changes what."""
        return {
            "expected_version": self.version,
            "actor_id": workspace.actor_id,
            "source": "api",
            "event_id": workspace.event_id(self.idempotency_key),
        }


def seen_version(
    if_match: Annotated[str | None, Header(description='The version you have read, as its ETag: "3".')] = None,
    idempotency_key: IdempotencyKey = None,
) -> SeenVersion:
    """A change names the version it is of, so that nobody overwrites what they have not seen."""
    if if_match is None:
        raise Failed(HTTPStatus.PRECONDITION_REQUIRED, 'say which version you change, as its ETag: If-Match: "3"')
    version = re.fullmatch(r'"?(\d{1,9})"?', if_match.strip())
    if not version:
        raise Failed(HTTPStatus.BAD_REQUEST, f'expected If-Match: "<version>", got {if_match!r}')
    return SeenVersion(int(version[1]), idempotency_key)


Change = Annotated[SeenVersion, Depends(seen_version)]
