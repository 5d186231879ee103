"""Workspaces over REST: which there are, a new one, and what one is called."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from ingestion.events import derived_id, new_id
from outlay import money
from outlay.accounts import founding
from outlay.api.caller import Asking, From, Person
from outlay.api.contract import problems
from outlay.api.member_schemas import NewWorkspace, WorkspaceChanges
from outlay.api.place import IdempotencyKey, OwnedWorkspace, workspaces
from outlay.api.problems import decided
from outlay.api.process import accounts
from outlay.api.schemas import WorkspaceOut
from outlay.ledger import members
from outlay.ledger.workspaces import Workspace

router = APIRouter(tags=["workspaces"])


@router.get("/workspaces", response_model=list[WorkspaceOut])
def list_workspaces(asking: Asking) -> list[Workspace]:
    """The workspaces that you are a member of, with your role; all of them with the installation's key."""
    return workspaces(asking)


@router.post(
    "/workspaces",
    response_model=WorkspaceOut,
    status_code=HTTPStatus.CREATED,
    responses=problems({429: "too many were made: `Retry-After` says when to come back"}),
)
def found(given: NewWorkspace, asking: Person, origin: From, idempotency_key: IdempotencyKey = None) -> Workspace:
    """Make another workspace, of which you are the owner. With an `Idempotency-Key`, a retry is the same one."""
    money.currency(given.currency)
    key = (asking.user_id, "workspace", idempotency_key)
    workspace_id = derived_id(*key) if idempotency_key else new_id()
    founding.found(accounts(), asking.user_id, workspace_id, given.model_dump(), origin=origin)
    made = Workspace(workspace_id, given.name, given.currency, given.time_zone)
    return next((known for known in workspaces(asking) if known.workspace_id == workspace_id), made)


@router.patch(
    "/workspace", response_model=WorkspaceOut, responses=problems({409: "somebody changed it at this moment"})
)
def settle(given: WorkspaceChanges, workspace: OwnedWorkspace) -> Workspace:
    """Change what the workspace is called, its currency or its time zone. Figures in another currency follow the next
    build."""
    changes = given.model_dump(exclude_unset=True)
    if "currency" in changes:
        money.currency(changes["currency"])
    with workspace.session() as connection:
        decided(members.settle(workspace.ledger(), connection, workspace.workspace_id, changes, by=workspace.actor_id))
    before = {name: getattr(workspace, name) for name in ("workspace_id", "name", "currency", "time_zone", "role")}
    return Workspace(**{**before, **changes})
