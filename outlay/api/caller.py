"""What every request of the API shows: the key, and the workspace it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ingestion.events import derived_id, owner_of
from outlay.api import access
from outlay.api.problems import Failed
from outlay.ledger.workspaces import Workspace, all_workspaces

_bearer = HTTPBearer(auto_error=False, description="The key of this installation, which `outlay link --key` prints.")


def holds_key(shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    if shown is None or not access.is_key(shown.credentials):
        raise Failed(
            HTTPStatus.UNAUTHORIZED,
            "send the key of this installation: Authorization: Bearer <key>",
            headers={"WWW-Authenticate": "Bearer"},
        )


def workspace(
    named: Annotated[
        UUID | None, Header(alias="X-Outlay-Workspace", description="Its id; GET /workspaces lists them.")
    ] = None,
) -> Workspace:
    """The workspace that the request names; each request is about one."""
    if named is None:
        raise Failed(
            HTTPStatus.BAD_REQUEST, "say which workspace: X-Outlay-Workspace: <id>; GET /api/workspaces lists them"
        )
    for known in all_workspaces():
        if known.workspace_id == named:
            return known
    raise Failed(HTTPStatus.NOT_FOUND, f"there is no workspace {named}; GET /api/workspaces lists them")


CurrentWorkspace = Annotated[Workspace, Depends(workspace)]


IdempotencyKey = Annotated[
    str | None, Header(max_length=200, description="Made by you: the same key again is the same event.")
]


def event_id_of(workspace: Workspace, idempotency_key: str | None) -> UUID | None:
    return derived_id(workspace.workspace_id, "api", idempotency_key) if idempotency_key else None


@dataclass(frozen=True)
class SeenVersion:
    """The version of a thing that the caller has read, and the key that makes a retry the same event."""

    version: int
    idempotency_key: str | None

    def of(self, workspace: Workspace) -> dict[str, Any]:
        """The ledger's arguments that say who changes what."""
        return {
            "expected_version": self.version,
            "actor_id": owner_of(workspace.workspace_id),
            "source": "api",
            "event_id": event_id_of(workspace, self.idempotency_key),
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
