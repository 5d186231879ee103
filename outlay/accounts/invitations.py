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
from outlay.ledger.members import Role, joining, members

_WAIT = 2.0
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


def is_open(connection: psycopg.Connection, code: str) -> bool:
    """Whether an invitation of this code could be accepted; who has one may make an account for it."""
    given = {"hash": opaque.digest(code), "now": datetime.now(UTC)}
    query = f"SELECT 1 FROM auth.invitations WHERE code_hash = %(hash)s AND {_OPEN}"  # noqa: S608
    return connection.execute(query, given).fetchone() is not None


def accept(accounts: Accounts, user_id: UUID, code: str, *, origin: Origin) -> Joined:
    """Join the workspace; who is in it already stays what they are.

    Raises:
        NotAdmitted: the invitation was used, taken back, is over, never was, or its giver owns the workspace no more.
        Refused, KafkaUnavailable: the event cannot be made; the invitation stays open.
    """
    given = {"hash": opaque.digest(code), "now": datetime.now(UTC), "user": user_id}
    with session("auth", using=accounts.settings) as connection:
        row = connection.execute(
            f"SELECT invitation_id, workspace_id, role, invited_by FROM auth.invitations "  # noqa: S608
            f"WHERE code_hash = %(hash)s AND {_OPEN} FOR UPDATE",
            given,
        ).fetchone()
        if row is None:
            raise _not_good()
        invitation_id, workspace_id, role, invited_by = row
        with session("operator", workspace_id=workspace_id, using=accounts.settings) as live:
            roles = {member.user_id: member.role for member in members(live)}
            if roles.get(invited_by) != "owner":
                raise _not_good()
            event = joining(live, workspace_id, user_id, role)
        connection.execute(
            "UPDATE auth.invitations SET ended_at = %s, accepted_by = %s WHERE invitation_id = %s",
            (given["now"], user_id, invitation_id),
        )
        if event is not None:
            outbox.put(connection, accounts.ledger, "user", [event], user_id=user_id)
        audit.record(connection, "joined", origin, user_id=user_id, workspace_id=str(workspace_id), role=role)
    accounts.relay.tell()
    outbox.await_live(user_id, accounts.settings, seconds=_WAIT)
    return Joined(workspace_id, role if event is not None else roles[user_id])


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


def _not_good() -> NotAdmitted:
    return NotAdmitted("the invitation is not good, or no more: ask for a new one")
