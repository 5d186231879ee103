"""What the API takes and gives of workspaces and the people in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt, computed_field

from outlay.api.account_schemas import Email, Secret, Zone
from outlay.api.schemas import Currency, Name, Strict
from outlay.ledger.members import Role


class NewWorkspace(Strict):
    name: Name
    currency: Currency
    time_zone: Zone = "UTC"


class WorkspaceChanges(Strict):
    """What to change of a workspace. Fields left out stay as they are."""

    name: Name = None
    currency: Currency = None
    time_zone: Zone = None


class MemberOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    role: Role
    version: int
    name: str | None
    email: str | None
    picture: str | None = Field(exclude=True)

    @computed_field(description="Path of their picture.")
    @property
    def picture_url(self) -> str | None:
        return None if self.picture is None else f"/api/members/{self.user_id}/picture"


class NewRole(Strict):
    role: Role


class NewInvitation(Strict):
    """Whom to let in as what. With an address, and a mail server, the code goes there; otherwise you pass it on."""

    role: Role = "viewer"
    email: Email | None = None
    days: Annotated[StrictInt, Field(ge=1, le=30, description="For how long it is good.")] = 7


class InvitationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    invitation_id: UUID
    role: Role
    email: str | None
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


class InvitationMade(InvitationOut):
    code: str | None = Field(description="Told this once; null where it was mailed.")


class InvitationCode(Strict):
    code: Secret


class JoinedOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    workspace_id: UUID
    role: Role
