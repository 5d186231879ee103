"""Which workspaces there are, and what an expense of one may name."""

from __future__ import annotations

from fastapi import APIRouter

from outlay.api.caller import Asking, workspaces
from outlay.api.schemas import WorkspaceOut
from outlay.ledger.workspaces import Workspace

router = APIRouter(tags=["workspaces"])


@router.get("/workspaces", response_model=list[WorkspaceOut])
def list_workspaces(asking: Asking) -> list[Workspace]:
    """The workspaces that you are a member of, with your role; all of them with the installation's key."""
    return workspaces(asking)
