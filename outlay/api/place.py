"""Which workspace a request is about, and what its caller may do there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import Depends, Header, Request

from ingestion.events import derived_id, owner_of
from outlay.api.caller import SAFE, Asking, Caller
from outlay.api.problems import Failed
from outlay.api.process import ledger
from outlay.db import session
from outlay.ledger.commands import WRITERS, Ledger
from outlay.ledger.workspaces import Workspace, all_workspaces, workspaces_of


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

    def event_id(self, idempotency_key: str | None, *of: int | str) -> UUID | None:
        """The id that a caller's own key makes: the same one for each retry, and another one for each caller.

        Args:
            of: which of several that come under one key, or what the key is of.
        """
        by = (self.user_id,) if self.user_id else ()
        return derived_id(self.workspace_id, "api", *by, idempotency_key, *of) if idempotency_key else None


def seen(
    asking: Asking,
    named: Annotated[
        UUID | None, Header(alias="X-Outlay-Workspace", description="Its id; GET /workspaces lists them.")
    ] = None,
) -> Place:
    """The workspace that the request names, if the caller is in it; to everybody else it does not exist."""
    if named is None:
        raise Failed(
            HTTPStatus.BAD_REQUEST, "say which workspace: X-Outlay-Workspace: <id>; GET /api/workspaces lists them"
        )
    for known in workspaces(asking):
        if known.workspace_id == named:
            return Place(**vars(known), actor_id=asking.user_id or owner_of(named), user_id=asking.user_id)
    raise Failed(HTTPStatus.NOT_FOUND, f"there is no workspace {named}; GET /api/workspaces lists them")


SeenWorkspace = Annotated[Place, Depends(seen)]


def place(request: Request, asking: Asking, there: SeenWorkspace) -> Place:
    """The workspace, if the caller may do there what the request asks: look, or change what it holds."""
    if request.method not in SAFE:
        if "write" not in asking.scopes:
            raise Failed(HTTPStatus.FORBIDDEN, "the token may not write: make one that may")
        if there.role not in WRITERS:
            raise Failed(
                HTTPStatus.FORBIDDEN, f"your role in this workspace is {there.role}: its owner can make you an editor"
            )
    return there


CurrentWorkspace = Annotated[Place, Depends(place)]


def of_people(asking: Asking, there: SeenWorkspace) -> Place:
    """The workspace, for what is about the people in it: not for programs."""
    if asking.kind == "program":
        raise Failed(HTTPStatus.FORBIDDEN, "this is about people: log in as one")
    return there


JoinedWorkspace = Annotated[Place, Depends(of_people)]


def owned(there: JoinedWorkspace) -> Place:
    """The workspace, for its owners."""
    if there.role != "owner":
        raise Failed(HTTPStatus.FORBIDDEN, f"your role in this workspace is {there.role}: this is for its owners")
    return there


OwnedWorkspace = Annotated[Place, Depends(owned)]


IdempotencyKey = Annotated[
    str | None, Header(max_length=200, description="Made by you: the same key again is the same event.")
]


@dataclass(frozen=True)
class SeenVersion:
    """The version of a thing that the caller has read, and the key that makes a retry the same event."""

    version: int
    idempotency_key: str | None
    asked: str
    """Method and path of the request."""

    def of(self, workspace: Place, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ledger's arguments that say who changes what.

        Args:
            content: what the change says. Under one key another one is another event, of a version that has passed:
                it is refused, where the first one's answer would say that it counts.
        """
        said = json.dumps(content or {}, default=str, sort_keys=True)
        return {
            "expected_version": self.version,
            "actor_id": workspace.actor_id,
            "source": "api",
            "event_id": workspace.event_id(self.idempotency_key, self.asked, said),
        }


_VERSION = r'^"?([0-9]{1,9})"?$'


def seen_version(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(description='The version you have read, as its ETag: "3".', json_schema_extra={"pattern": _VERSION}),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> SeenVersion:
    """A change names the version it is of, so that nobody overwrites what they have not seen."""
    if if_match is None:
        raise Failed(HTTPStatus.PRECONDITION_REQUIRED, 'say which version you change, as its ETag: If-Match: "3"')
    version = re.fullmatch(_VERSION, if_match.strip(), re.ASCII)
    if not version:
        raise Failed(HTTPStatus.BAD_REQUEST, f'expected If-Match: "<version>", got {if_match!r}')
    return SeenVersion(int(version[1]), idempotency_key, f"{request.method} {request.url.path}")


Change = Annotated[SeenVersion, Depends(seen_version)]
