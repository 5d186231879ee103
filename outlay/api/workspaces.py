"""Which workspaces there are, and what an expense of one may name."""

from __future__ import annotations

from fastapi import APIRouter

from outlay.api.schemas import WorkspaceOut
from outlay.ledger.workspaces import Workspace, all_workspaces

router = APIRouter(tags=["workspaces"])


@router.get("/workspaces", response_model=list[WorkspaceOut])
def list_workspaces() -> list[Workspace]:
    """Every workspace of this installation."""
    return all_workspaces()
