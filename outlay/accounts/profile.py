"""What a person is called, and how they want figures shown: read from live, changed by `user` events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ingestion import events
from ingestion.events import NIL, new_id
from outlay.accounts import audit, outbox
from outlay.accounts.errors import ProfileBehind
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.db import session


@dataclass(frozen=True)
class Profile:
    """A person as they see themselves. `version` counts the changes, from 1."""

    user_id: UUID
    version: int
    email: str
    name: str | None
    locale: str | None
    time_zone: str | None
    picture: str | None
    """Hash of the file in the lake; see `outlay.accounts.pictures`."""


def read(accounts: Accounts, user_id: UUID) -> Profile:
    """The profile as live has it.

    Raises:
        ProfileBehind: live does not have the newest one after two seconds.
    """
    outbox.await_live(user_id, accounts.settings)
    with session("auth", using=accounts.settings) as connection:
        email, newest = connection.execute(
            "SELECT email, profile_version FROM auth.users WHERE user_id = %s", (user_id,)
        ).fetchone()
    with session("app", using=accounts.settings, user_id=user_id) as connection:
        row = connection.execute(
            "SELECT version, state -> 'user' FROM live.entities "
            "WHERE workspace_id = %s AND entity = 'user' AND entity_id = %s",
            (NIL, user_id),
        ).fetchone()
    if row is None or row[0] < newest:
        raise ProfileBehind("the newest profile is not in the live view yet: try again in a moment")
    version, state = row
    own = {name: state.get(name) for name in ("name", "locale", "time_zone", "picture")}
    return Profile(user_id, version, email, **own)


def change(accounts: Accounts, user_id: UUID, given: Mapping[str, Any], *, session_id: UUID, origin: Origin) -> Profile:
    """Change name, locale, time zone or picture; returns the profile after it.

    Raises:
        ProfileBehind: as of `read`, or somebody else changed it at this moment.
        Refused, KafkaUnavailable: see `Ledger.encoded`; nothing was changed.
    """
    before = read(accounts, user_id)
    state = {
        "name": before.name,
        "email": before.email,
        "locale": before.locale,
        "time_zone": before.time_zone,
        "picture": before.picture,
        **given,
    }
    with session("auth", using=accounts.settings) as connection:
        moved = connection.execute(
            "UPDATE auth.users SET profile_version = profile_version + 1 WHERE user_id = %s AND profile_version = %s",
            (user_id, before.version),
        ).rowcount
        if not moved:
            raise ProfileBehind("the profile was changed at this moment: read it again")
        event = events.entity(
            entity="user",
            entity_id=user_id,
            state=state,
            version=before.version + 1,
            operation="updated",
            workspace_id=None,
            source="api",
            event_id=new_id(),
            actor_id=user_id,
        )
        outbox.put(connection, accounts.ledger, "user", [event], user_id=user_id)
        audit.record(
            connection,
            "profile_changed",
            origin,
            user_id=user_id,
            session_id=session_id,
            fields=" ".join(sorted(given)),
        )
    accounts.relay.tell()
    return read(accounts, user_id)
