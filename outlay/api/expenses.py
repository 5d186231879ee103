"""Expenses over REST: listed, changed, voided and restored, all through the ledger."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from outlay.api.contract import NO_TRANSACTION, behind
from outlay.api.filters import AskedPage
from outlay.api.place import Change, CurrentWorkspace
from outlay.api.problems import Failed
from outlay.api.schemas import AnswerOut, Changes, ExpenseDetail, ExpenseOut, ExpensesOut
from outlay.ledger.commands import Answer, NotFound
from outlay.ledger.queries import expenses

router = APIRouter(prefix="/expenses", tags=["expenses"])

_CHANGED = NO_TRANSACTION | behind(AnswerOut)


@router.get("", response_model=ExpensesOut)
def list_expenses(workspace: CurrentWorkspace, asked: Annotated[AskedPage, Query()]) -> ExpensesOut:
    """One page of transactions; `next` is the cursor of the following page."""
    with workspace.session() as connection:
        page = expenses.page(
            connection, asked.filter(connection), sort=asked.sort, after=asked.cursor, size=asked.limit
        )
    return ExpensesOut(expenses=[ExpenseOut.model_validate(expense) for expense in page.expenses], next=page.next)


@router.get("/{transaction_id}", response_model=ExpenseDetail, responses=NO_TRANSACTION)
def read_expense(transaction_id: UUID, workspace: CurrentWorkspace, response: Response) -> ExpenseDetail:
    """One transaction as it is now, with its lines; its version is the ETag."""
    with workspace.session() as connection:
        expense = expenses.one(connection, transaction_id)
        if expense is None:
            raise NotFound(transaction_id)
        lines = expenses.lines_of(connection, [transaction_id])
    response.headers["ETag"] = f'"{expense.version}"'
    return ExpenseDetail.of(expense, lines)


@router.patch("/{transaction_id}", response_model=AnswerOut, responses=_CHANGED)
def amend(
    transaction_id: UUID, changes: Changes, workspace: CurrentWorkspace, change: Change, response: Response
) -> Answer:
    """Change fields of a transaction that nobody else has changed since you read it."""
    given = changes.model_dump(exclude_unset=True)
    answer = workspace.ledger().amend(workspace.workspace_id, transaction_id, given, **change.of(workspace, given))
    return answered(answer, response)


@router.post("/{transaction_id}/void", response_model=AnswerOut, responses=_CHANGED)
def void(transaction_id: UUID, workspace: CurrentWorkspace, change: Change, response: Response) -> Answer:
    """Take a transaction back. It stays in the history and can be restored."""
    answer = workspace.ledger().void(workspace.workspace_id, transaction_id, **change.of(workspace))
    return answered(answer, response)


@router.post("/{transaction_id}/restore", response_model=AnswerOut, responses=_CHANGED)
def restore(
    transaction_id: UUID,
    workspace: CurrentWorkspace,
    change: Change,
    response: Response,
    to_version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="What it was then.")] = None,
) -> Answer:
    """Bring a voided transaction back; with `to_version`, make any one again what it was at that version."""
    by = change.of(workspace, {"to_version": to_version})
    answer = workspace.ledger().restore(workspace.workspace_id, transaction_id, to_version=to_version, **by)
    return answered(answer, response)


def answered(answer: Answer, response: Response) -> Answer:
    """Its status when live has it, 202 when it is in the log and live has yet to read it, 412 when it has moved on."""
    if answer.decision == "stale":
        raise Failed(
            HTTPStatus.PRECONDITION_FAILED,
            f"somebody changed it: it is at version {answer.version}; read it again",
            headers={"ETag": f'"{answer.version}"'},
        )
    if answer.decision == "pending":
        response.status_code = HTTPStatus.ACCEPTED
    response.headers["ETag"] = f'"{answer.version}"'
    return answer
