"""Who is in a workspace, over REST: members, their roles, and invitations."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from outlay.accounts import invitations
from outlay.accounts.errors import NotAdmitted
from outlay.api import files
from outlay.api.caller import From, Person, private
from outlay.api.contract import problems
from outlay.api.member_schemas import (
    InvitationCode,
    InvitationMade,
    InvitationOut,
    JoinedOut,
    MemberOut,
    NewInvitation,
    NewRole,
)
from outlay.api.place import CurrentWorkspace, JoinedWorkspace, OwnedWorkspace, Place
from outlay.api.problems import Failed, decided
from outlay.api.process import accounts
from outlay.db import session
from outlay.ledger import members

router = APIRouter(tags=["members"], dependencies=[Depends(private)])

_LAST_OR_LATE = "nobody else owns the workspace, or somebody changed it at this moment"


@router.get("/members", response_model=list[MemberOut])
def list_members(workspace: CurrentWorkspace) -> list[members.Member]:
    """Who is in the workspace, and what they may do."""
    with workspace.session() as connection:
        return members.members(connection)


@router.get(
    "/members/{user_id}/picture",
    response_class=Response,
    responses=files.told("Their picture.", files.PORTRAIT)
    | problems({404: "there is no such member, or they have none"}),
)
def read_picture(user_id: UUID, workspace: CurrentWorkspace) -> Response:
    """How a member shows themselves."""
    return files.picture(user_id, _member(workspace, user_id).picture)


@router.put(
    "/members/{user_id}/role",
    response_model=MemberOut,
    responses=problems({404: "there is no such member", 409: _LAST_OR_LATE}),
)
def set_role(user_id: UUID, given: NewRole, workspace: OwnedWorkspace) -> members.Member:
    """Give a member another role. A workspace keeps at least one owner."""
    with workspace.session() as connection:
        decided(
            members.set_role(
                *(workspace.ledger(), connection, workspace.workspace_id, user_id, given.role), by=workspace.actor_id
            )
        )
    return _member(workspace, user_id)


@router.delete(
    "/members/{user_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(
        {
            403: "only an owner takes others out",
            404: "there is no such member",
            409: _LAST_OR_LATE,
        }
    ),
)
def remove(user_id: UUID, workspace: JoinedWorkspace) -> None:
    """Take somebody out of the workspace, as its owner, or leave it yourself. What they recorded stays."""
    if workspace.role != "owner" and user_id != workspace.user_id:
        raise Failed(HTTPStatus.FORBIDDEN, "only an owner takes others out of a workspace")
    with workspace.session() as connection:
        decided(members.remove(workspace.ledger(), connection, workspace.workspace_id, user_id, by=workspace.actor_id))


@router.get("/invitations", response_model=list[InvitationOut])
def list_invitations(workspace: OwnedWorkspace) -> list[invitations.Invitation]:
    """The invitations into the workspace that are open."""
    with session("auth") as connection:
        return invitations.listed(connection, workspace.workspace_id)


@router.post(
    "/invitations",
    response_model=InvitationMade,
    status_code=HTTPStatus.CREATED,
    responses=problems({429: "too many were made: `Retry-After` says when to come back"}),
)
def invite(given: NewInvitation, asking: Person, workspace: OwnedWorkspace, origin: From) -> InvitationMade:
    """Invite somebody. The invitation is good once, and while you own the workspace."""
    made, code = invitations.invite(
        *(accounts(), workspace.workspace_id, workspace.name),
        role=given.role,
        email=given.email,
        days=given.days,
        by=asking.user_id,
        origin=origin,
    )
    return InvitationMade(**asdict(made), code=code)


@router.delete(
    "/invitations/{invitation_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems({404: "there is no such invitation that is open"}),
)
def withdraw(invitation_id: UUID, asking: Person, workspace: OwnedWorkspace, origin: From) -> None:
    """Take an invitation back."""
    with session("auth") as connection:
        if not invitations.withdraw(
            connection, workspace.workspace_id, invitation_id, by=asking.user_id, origin=origin
        ):
            raise Failed(HTTPStatus.NOT_FOUND, f"there is no open invitation {invitation_id}")


@router.post(
    "/invitations/accept", response_model=JoinedOut, responses=problems({403: "the invitation is not good, or no more"})
)
def accept(given: InvitationCode, asking: Person, origin: From) -> invitations.Joined:
    """Join a workspace with the code of an invitation."""
    try:
        return invitations.accept(accounts(), asking.user_id, given.code, origin=origin)
    except NotAdmitted as error:  # the session is good: 401 would say that it is not
        raise Failed(HTTPStatus.FORBIDDEN, str(error)) from None


def _member(workspace: Place, user_id: UUID) -> members.Member:
    with workspace.session() as connection:
        for member in members.members(connection):
            if member.user_id == user_id:
                return member
    raise members.NoSuchMember(f"the workspace has no member {user_id} any more")
