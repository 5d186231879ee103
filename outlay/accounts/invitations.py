"""Invitations: a code that lets whoever brings it into a workspace, once.

It goes by mail where a mail server is set and an address is named; otherwise whoever invites passes it on. It is good
while the inviter owns the workspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ingestion.events import new_id
from outlay.accounts import addresses, attempts, audit, mails, opaque, outbox
from outlay.accounts.errors import NotAdmitted
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.db import session
from outlay.ledger.commands import LiveStalled
from outlay.ledger.members import Role, joining, members

_OPEN = "ended_at IS NULL AND expires_at > %(now)s"


@dataclass(frozen=True)
class Invitation:
    """An invitation that is open, without its code, which is told once. `email`: whom it was mailed to."""

    invitation_id: UUID
    role: Role
    email: str | None
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Joined:
    """The workspace that somebody is in now, and what they may do there."""

    workspace_id: UUID
    role: Role


def invite(
    accounts: Accounts,
    workspace_id: UUID,
    workspace_name: str | None,
    *,
    role: Role,
    email: str | None,
    days: int,
    by: UUID,
    origin: Origin,
) -> tuple[Invitation, str | None]:
    """A new invitation, and its code unless it was mailed.

    Raises:
        NotAnAddress, TooManyAttempts: see there.
    """
    address = addresses.parsed(email) if email else None
    mailed = address is not None and accounts.post.works
    code, now = opaque.new("outlay_invitation_"), datetime.now(UTC)
    made = Invitation(new_id(), role, address.text if mailed else None, by, now, now + timedelta(days=days))
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.INVITATIONS, str(by))
        if mailed:
            attempts.admit(connection, attempts.MAILS, address.key)
        with connection.transaction():
            connection.execute(
                "INSERT INTO auth.invitations (invitation_id, code_hash, workspace_id, role, email, invited_by, "
                "created_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    *(made.invitation_id, opaque.digest(code), workspace_id, role, made.email, by),
                    *(made.created_at, made.expires_at),
                ),
            )
            audit.record(connection, "invited", origin, user_id=by, workspace_id=str(workspace_id), role=role)
    if mailed:
        mail = mails.invitation(accounts.settings.public_url, workspace_name or "a workspace", code)
        accounts.post.send(mail, to=address.text)
    return made, None if mailed else code


def is_good(connection: psycopg.Connection, accounts: Accounts, code: str) -> bool:
    """Whether somebody could join with this code."""
    return _good(connection, accounts, code) is not None


def make_account_with(connection: psycopg.Connection, code: str, user_id: UUID) -> bool:
    """Remember which account is made with it, in the caller's transaction; whether no other was made with it."""
    return bool(
        connection.execute(
            "UPDATE auth.invitations SET signed_up = %(user)s "
            "WHERE code_hash = %(hash)s AND coalesce(signed_up, %(user)s) = %(user)s",
            {"user": user_id, "hash": opaque.digest(code)},
        ).rowcount
    )


def accept(accounts: Accounts, user_id: UUID, code: str, *, origin: Origin) -> Joined:
    """Join the workspace; who is in it already stays what they are, and leaves the invitation open.

    Raises:
        NotAdmitted: the invitation was used, taken back, is over, never was, or its giver owns the workspace no more.
        LiveStalled: they are in the workspace as soon as live has read it.
        Refused, KafkaUnavailable: the event cannot be made; the invitation stays open.
    """
    with session("auth", using=accounts.settings) as connection:
        found = _good(connection, accounts, code)
        if found is None:
            raise NotAdmitted("the invitation is not good, or no more: ask for a new one")
        with session("operator", workspace_id=found.workspace_id, using=accounts.settings) as live:
            event = joining(live, found.workspace_id, user_id, found.role)
        if event is not None:
            connection.execute(
                "UPDATE auth.invitations SET ended_at = %s, accepted_by = %s WHERE invitation_id = %s",
                (datetime.now(UTC), user_id, found.invitation_id),
            )
            outbox.put(connection, accounts.ledger, "user", [event], user_id=user_id)
            where = {"workspace_id": str(found.workspace_id), "role": found.role}
            audit.record(connection, "joined", origin, user_id=user_id, **where)
    accounts.relay.tell()
    outbox.await_live(user_id, accounts.settings)
    with session("app", workspace_id=found.workspace_id, user_id=user_id, using=accounts.settings) as connection:
        (role,) = connection.execute("SELECT live.my_role()").fetchone()
    if role is None:
        raise LiveStalled("you join, and the live view has not read it yet: look again in a moment")
    return Joined(found.workspace_id, role)


@dataclass(frozen=True)
class _Good:
    invitation_id: UUID
    workspace_id: UUID
    role: Role
    invited_by: UUID


def _good(connection: psycopg.Connection, accounts: Accounts, code: str) -> _Good | None:
    """The invitation of this code, locked, if it is open and its giver has an account that owns the workspace."""
    with connection.cursor(row_factory=class_row(_Good)) as cursor:
        found = cursor.execute(
            "SELECT i.invitation_id, i.workspace_id, i.role, i.invited_by "  # noqa: S608
            "FROM auth.invitations AS i INNER JOIN auth.users AS u ON u.user_id = i.invited_by "
            f"WHERE i.code_hash = %(hash)s AND u.disabled_at IS NULL AND {_OPEN} FOR UPDATE OF i",
            {"hash": opaque.digest(code), "now": datetime.now(UTC)},
        ).fetchone()
    if found is None:
        return None
    with session("operator", workspace_id=found.workspace_id, using=accounts.settings) as live:
        owners = {member.user_id for member in members(live) if member.role == "owner"}
    return found if found.invited_by in owners else None


def end_all(connection: psycopg.Connection, user_id: UUID) -> None:
    """Take back every invitation that this person gave out: their account may have been in other hands."""
    connection.execute(
        "UPDATE auth.invitations SET ended_at = %s WHERE invited_by = %s AND ended_at IS NULL",
        (datetime.now(UTC), user_id),
    )


def listed(connection: psycopg.Connection, workspace_id: UUID) -> list[Invitation]:
    """The open invitations into a workspace, the newest first."""
    with connection.cursor(row_factory=class_row(Invitation)) as cursor:
        return cursor.execute(
            "SELECT invitation_id, role, email, invited_by, created_at, expires_at FROM auth.invitations "  # noqa: S608
            f"WHERE workspace_id = %(workspace)s AND {_OPEN} ORDER BY created_at DESC",
            {"workspace": workspace_id, "now": datetime.now(UTC)},
        ).fetchall()


def withdraw(
    connection: psycopg.Connection, workspace_id: UUID, invitation_id: UUID, *, by: UUID, origin: Origin
) -> bool:
    """Take an invitation into this workspace back; whether it was open."""
    given = {"now": datetime.now(UTC), "id": invitation_id, "workspace": workspace_id}
    ended = connection.execute(
        "UPDATE auth.invitations SET ended_at = %(now)s "  # noqa: S608
        f"WHERE invitation_id = %(id)s AND workspace_id = %(workspace)s AND {_OPEN}",
        given,
    ).rowcount
    if ended:
        audit.record(connection, "invitation_withdrawn", origin, user_id=by, workspace_id=str(workspace_id))
    return bool(ended)
