"""What changed, over REST: in a workspace since a program looked last, and in one transaction since its start."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from outlay.api.contract import NO_TRANSACTION, problems
from outlay.api.filters import AskedChanges
from outlay.api.place import CurrentWorkspace
from outlay.api.schemas import ChangedOut, ExpenseDetail, FieldChange, VersionOut
from outlay.ledger.commands import NotFound
from outlay.ledger.members import members
from outlay.ledger.queries import changes, expenses

router = APIRouter(prefix="/expenses", tags=["expenses"])


@router.get(
    "/changes",
    response_model=ChangedOut,
    responses=problems({410: "the cursor is of another log: read everything again"}),
)
def list_changes(workspace: CurrentWorkspace, asked: Annotated[AskedChanges, Query()]) -> ChangedOut:
    """What changed since the cursor of the answer before, void ones included; everything without a cursor.

    Keep your own copy with it: no change is missed, and one that you have already may come again. 410: the cursor is of
    another log; read everything again."""
    with workspace.session() as connection:
        page = changes.since(connection, asked.cursor, size=asked.limit)
    expenses = [ExpenseDetail.of(each, page.lines) for each in page.expenses]
    return ChangedOut(expenses=expenses, cursor=page.cursor, more=page.more)


@router.get(
    "/{transaction_id}/history",
    response_model=list[VersionOut],
    responses=NO_TRANSACTION,
)
def read_history(transaction_id: UUID, workspace: CurrentWorkspace) -> list[VersionOut]:
    """Who changed which field of a transaction when: its versions, the oldest first."""
    with workspace.session() as connection:
        versions = expenses.history(connection, transaction_id, fields=expenses.RECORDED)
        names = {member.user_id: member.name for member in members(connection)}
    if not versions:
        raise NotFound(transaction_id)
    return [_version(each, names) for each in versions]


def _version(event: expenses.Event, names: dict[UUID, str | None]) -> VersionOut:
    changed = [FieldChange(field=name, before=old, after=new) for name, (old, new) in event.changed.items()]
    seen = ("version", "operation", "event_id", "actor_id", "source", "recorded_at")
    given = {name: getattr(event, name) for name in seen}
    return VersionOut(**given, actor=names.get(event.actor_id), changed=changed)
