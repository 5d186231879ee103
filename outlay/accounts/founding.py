"""Another workspace for somebody who has an account: its two events in one transaction, through the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from outlay.accounts import attempts, audit, outbox
from outlay.accounts.origin import Origin
from outlay.accounts.process import Accounts
from outlay.db import session
from outlay.ledger import members


def found(accounts: Accounts, user_id: UUID, workspace_id: UUID, state: Mapping[str, Any], *, origin: Origin) -> None:
    """Make a workspace that this person owns; again under the same id, and nothing happens.

    Args:
        state: name, currency and time_zone.

    Raises:
        TooManyAttempts: see there. Refused, KafkaUnavailable: the events cannot be made; nothing was stored.
    """
    events = members.founding(workspace_id, user_id, state)
    with session("auth", using=accounts.settings, autocommit=True) as connection:
        attempts.admit(connection, attempts.WORKSPACES, str(user_id))
        with connection.transaction():
            if not outbox.put(connection, accounts.ledger, "user", events, user_id=user_id):
                return
            audit.record(connection, "workspace_made", origin, user_id=user_id, workspace_id=str(workspace_id))
    accounts.relay.tell()
    outbox.await_live(user_id, accounts.settings)
