"""A workspace's people and its own settings: who is in it, what they may do, what it is called. All by events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ingestion import events
from ingestion.events import derived_id, new_id
from outlay.ledger.commands import Answer, Ledger, NotAllowed

Role = Literal["owner", "editor", "viewer"]
_WAIT = 10.0  # seconds for live to decide a change
_LEVEL = 5.0  # seconds for live to have read what was there before it


class LastOwner(Exception):
    """The change would leave a workspace that nobody owns."""


class NoSuchMember(LookupError):
    """Nobody of that id is a member of the workspace."""


@dataclass(frozen=True)
class Member:
    """Somebody in a workspace. `version`: of the membership, one more for each change."""

    membership_id: UUID
    user_id: UUID
    role: Role
    version: int
    name: str | None
    email: str | None
    picture: str | None
    """Hash of the file in the lake; see `outlay.accounts.pictures`."""


def members(connection: psycopg.Connection) -> list[Member]:
    """The members of the session's workspace, by name."""
    with connection.cursor(row_factory=class_row(Member)) as cursor:
        return cursor.execute(
            "SELECT membership_id, user_id, role, version, name, email, picture FROM live.my_members()"
        ).fetchall()


def set_role(
    ledger: Ledger, connection: psycopg.Connection, workspace_id: UUID, user_id: UUID, role: Role, *, by: UUID
) -> Answer:
    """Give a member another role.

    Args:
        connection: a session in a transaction, that sees the workspace; until it ends, nobody else changes its people.

    Raises:
        NoSuchMember, LastOwner, NotAllowed, KafkaUnavailable, LiveStalled: see there.
    """
    member = _held(ledger, connection, workspace_id, user_id)
    if role != "owner":
        _somebody_else_owns(connection, member)
    return ledger.append("user", _changed(workspace_id, member, role, "updated", by=by), wait=_WAIT)


def remove(ledger: Ledger, connection: psycopg.Connection, workspace_id: UUID, user_id: UUID, *, by: UUID) -> Answer:
    """End a membership: an owner's decision, or the member's own. Arguments and errors as of `set_role`."""
    member = _held(ledger, connection, workspace_id, user_id)
    _somebody_else_owns(connection, member)
    if user_id == by:
        ledger = ledger.acting_for(None)  # who may not change the workspace may leave it, and sees no answer in it then
    return ledger.append("user", _changed(workspace_id, member, member.role, "deleted", by=by), wait=_WAIT)


def joining(
    connection: psycopg.Connection, workspace_id: UUID, user_id: UUID, role: Role, *, by: UUID | None = None
) -> dict[str, Any] | None:
    """The event by which somebody joins; None when they are in already.

    Args:
        connection: a session of the operator that sees the workspace.
        by: who lets them in, if not they themselves, with an invitation.
    """
    row = connection.execute(
        "SELECT entity_id, version, operation FROM live.entities WHERE workspace_id = %s AND entity = 'membership' "
        "AND state -> 'membership' ->> 'user_id' = %s ORDER BY recorded_at DESC, entity_id LIMIT 1",
        (workspace_id, str(user_id)),
    ).fetchone()
    membership_id, version, operation = row or (derived_id(workspace_id, "membership", user_id), 0, "deleted")
    if operation != "deleted":
        return None
    again = "restored" if version else "created"
    return _membership(membership_id, workspace_id, user_id, role, version + 1, again, by=by or user_id)


def founding(
    workspace_id: UUID, founder: UUID, state: Mapping[str, Any], *, source: str = "api"
) -> list[dict[str, Any]]:
    """The events of a new workspace and its first owner; the workspace's is the last.

    Args:
        state: name, currency and time_zone.
    """
    membership_id = derived_id(workspace_id, "membership", founder)
    membership = _membership(membership_id, workspace_id, founder, "owner", 1, "created", by=founder)
    membership["event_id"] = derived_id(membership["entity_id"], "membership", "created")
    workspace = events.entity(
        entity="workspace",
        entity_id=workspace_id,
        state=state,
        workspace_id=workspace_id,
        source="api",
        event_id=derived_id(workspace_id, "workspace", "created"),
        actor_id=founder,
    )
    return [membership, workspace]


def settle(
    ledger: Ledger, connection: psycopg.Connection, workspace_id: UUID, given: Mapping[str, Any], *, by: UUID
) -> Answer:
    """Change what the workspace is called, its currency or time zone. Errors as of `set_role`."""
    row = connection.execute(
        "SELECT version, state -> 'workspace' FROM live.entities "
        "WHERE workspace_id = %s AND entity = 'workspace' AND entity_id = %s",
        (workspace_id, workspace_id),
    ).fetchone()
    if row is None:
        raise NotAllowed("you are no member of this workspace any more")
    version, state = row
    before = {name: state.get(name) for name in ("name", "currency", "time_zone")}
    event = events.entity(
        entity="workspace",
        entity_id=workspace_id,
        state={**before, **given},
        version=version + 1,
        operation="updated",
        workspace_id=workspace_id,
        source="api",
        actor_id=by,
    )
    return ledger.append("user", event, wait=_WAIT)


def _held(ledger: Ledger, connection: psycopg.Connection, workspace_id: UUID, user_id: UUID) -> Member:
    """The member as they are, while nobody else changes who is in the workspace.

    Raises:
        LiveStalled: what others have changed is in the log, and not in live: nobody knows who owns the workspace.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"members of {workspace_id}",))
    ledger.await_level("user", connection, seconds=_LEVEL)
    for member in members(connection):
        if member.user_id == user_id:
            return member
    raise NoSuchMember(f"the workspace has no member {user_id}")


def _somebody_else_owns(connection: psycopg.Connection, member: Member) -> None:
    if all(other.user_id == member.user_id for other in members(connection) if other.role == "owner"):
        raise LastOwner("somebody has to own the workspace: make another member its owner first")


def _changed(workspace_id: UUID, member: Member, role: Role, operation: str, *, by: UUID) -> dict[str, Any]:
    given = (member.membership_id, workspace_id, member.user_id, role, member.version + 1, operation)
    return _membership(*given, by=by)


def _membership(
    membership_id: UUID, workspace_id: UUID, user_id: UUID, role: Role, version: int, operation: str, *, by: UUID
) -> dict[str, Any]:
    return events.entity(
        entity="membership",
        entity_id=membership_id,
        state={"user_id": user_id, "role": role},
        version=version,
        operation=operation,
        workspace_id=workspace_id,
        source="api",
        event_id=new_id(),
        actor_id=by,
    )
