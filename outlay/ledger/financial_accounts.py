"""Where money leaves from and comes to: a workspace's accounts, opened, changed and closed by events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack
from uuid import UUID

import psycopg

from ingestion import events
from ingestion.events import derived_id
from ingestion.rules import Problem
from outlay import money
from outlay.ledger import entities
from outlay.ledger.commands import Answer, Change, Ledger, Refused
from outlay.ledger.members import members
from outlay.ledger.states import ACCOUNT

_WAIT = 10.0  # seconds for live to decide a change


def open_account(
    ledger: Ledger, workspace_id: UUID, account_id: UUID, given: Mapping[str, Any], *, by: UUID, source: str
) -> Answer:
    """Open an account; again under the same id, and nothing happens.

    Args:
        given: name, type, currency, institution and owner_id; `check` says whether they make an account.

    Raises:
        Refused: the account_id is of another account. KafkaUnavailable, NotAllowed: see `Ledger.append`.
    """
    event = events.entity(
        entity="account",
        entity_id=account_id,
        state=given,
        workspace_id=workspace_id,
        source=source,
        event_id=derived_id(account_id, "account", "created"),
        actor_id=by,
    )
    return ledger.append("user", event, wait=_WAIT)


def amend(
    ledger: Ledger, workspace_id: UUID, account_id: UUID, changes: Mapping[str, Any], **change: Unpack[Change]
) -> Answer:
    """Change fields of an open account; `check` says whether they make one.

    Raises:
        Refused: it is closed. NotFound, KafkaUnavailable, NotAllowed: see `Ledger.change`.
    """

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        return entities.updated(current, changes, **by)

    return ledger.change(ACCOUNT, workspace_id, account_id, after, **{"wait": _WAIT, **change})


def close(ledger: Ledger, workspace_id: UUID, account_id: UUID, **change: Unpack[Change]) -> Answer:
    """Nothing more is recorded on it. What was stays, with its name, in lists and figures. Errors as of `amend`."""
    return ledger.change(ACCOUNT, workspace_id, account_id, entities.deleted, **{"wait": _WAIT, **change})


def reopen(ledger: Ledger, workspace_id: UUID, account_id: UUID, **change: Unpack[Change]) -> Answer:
    """Take back that it was closed. Errors as of `amend`."""
    return ledger.change(ACCOUNT, workspace_id, account_id, entities.restored, **{"wait": _WAIT, **change})


def check(connection: psycopg.Connection, given: Mapping[str, Any]) -> None:
    """Whether a currency is one, and an owner a member of the session's workspace, as far as they are given.

    Raises:
        NotMoney, Refused: they are not.
    """
    if "currency" in given:
        money.currency(given["currency"])
    owner = given.get("owner_id")
    if owner is not None and all(member.user_id != owner for member in members(connection)):
        raise Refused([Problem("known", "owner_id", f"expected a member of the workspace, got {owner}")])
