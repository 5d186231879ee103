"""Expenses over REST: recorded, listed, changed, voided and restored, all through the ledger."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from outlay import money
from outlay.api.place import Change, CurrentWorkspace, IdempotencyKey
from outlay.api.problems import Failed
from outlay.api.schemas import AnswerOut, Changes, ExpenseDetail, ExpenseOut, ExpensesOut, NewExpense
from outlay.ledger.commands import Answer, LineDraft, NotFound, TransactionDraft
from outlay.ledger.queries import choices, expenses

router = APIRouter(prefix="/expenses", tags=["expenses"])


@router.post("", response_model=AnswerOut, status_code=HTTPStatus.CREATED)
def record(
    expense: NewExpense,
    workspace: CurrentWorkspace,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Answer:
    """Record one transaction. With an `Idempotency-Key` or an `event_id`, sending it again is the same event."""
    _check_minor_units(expense)
    draft = expense.model_dump(exclude={"event_id", "lines"})
    answer = workspace.ledger().record(
        TransactionDraft(**draft, lines=[LineDraft(**line.model_dump()) for line in expense.lines]),
        workspace_id=workspace.workspace_id,
        actor_id=workspace.actor_id,
        source="api",
        event_id=expense.event_id or workspace.event_id(idempotency_key),
    )
    response.headers["Location"] = f"/api/expenses/{answer.entity_id}"
    return _answered(answer, response, created=True)


@router.get("", response_model=ExpensesOut)
def list_expenses(
    workspace: CurrentWorkspace,
    first_day: Annotated[date | None, Query(alias="from")] = None,
    last_day: Annotated[date | None, Query(alias="to")] = None,
    category: Annotated[str | None, Query(description="With every category below it.")] = None,
    account: UUID | None = None,
    kind: expenses.Kind | None = None,
    status: expenses.Status | None = None,
    text: Annotated[str | None, Query(max_length=200, description="Words that must all occur.")] = None,
    sort: expenses.Sort = "newest",
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ExpensesOut:
    """One page of transactions; `next` is the cursor of the following page."""
    with workspace.session() as connection:
        below = choices.categories(connection).with_below(category) if category else None
        wanted = expenses.Filter(first_day, last_day, below, account, kind, status, text)
        page = expenses.page(connection, wanted, sort=sort, after=cursor, size=limit)
    return ExpensesOut(expenses=[ExpenseOut.model_validate(expense) for expense in page.expenses], next=page.next)


@router.get("/{transaction_id}", response_model=ExpenseDetail)
def read(transaction_id: UUID, workspace: CurrentWorkspace, response: Response) -> ExpenseDetail:
    """One transaction as it is now, with its lines; its version is the ETag."""
    with workspace.session() as connection:
        expense = expenses.one(connection, transaction_id)
        if expense is None:
            raise NotFound(transaction_id)
        lines = expenses.lines(connection, transaction_id)
    response.headers["ETag"] = f'"{expense.version}"'
    return ExpenseDetail.model_validate({**asdict(expense), "lines": [asdict(line) for line in lines]})


@router.patch("/{transaction_id}", response_model=AnswerOut)
def amend(
    transaction_id: UUID, changes: Changes, workspace: CurrentWorkspace, change: Change, response: Response
) -> Answer:
    """Change fields of a transaction that nobody else has changed since you read it."""
    given = changes.model_dump(exclude_unset=True)
    answer = workspace.ledger().amend(workspace.workspace_id, transaction_id, given, **change.of(workspace))
    return _answered(answer, response)


@router.post("/{transaction_id}/void", response_model=AnswerOut)
def void(transaction_id: UUID, workspace: CurrentWorkspace, change: Change, response: Response) -> Answer:
    """Take a transaction back. It stays in the history and can be restored."""
    answer = workspace.ledger().void(workspace.workspace_id, transaction_id, **change.of(workspace))
    return _answered(answer, response)


@router.post("/{transaction_id}/restore", response_model=AnswerOut)
def restore(transaction_id: UUID, workspace: CurrentWorkspace, change: Change, response: Response) -> Answer:
    """Bring a voided transaction back."""
    answer = workspace.ledger().restore(workspace.workspace_id, transaction_id, **change.of(workspace))
    return _answered(answer, response)


def _check_minor_units(expense: NewExpense) -> None:
    if expense.amount != money.round_to_minor(expense.amount, expense.currency):
        units = money.currency(expense.currency).minor_units
        message = f"{expense.currency} has {units} decimals, got {expense.amount}"
        raise Failed(HTTPStatus.UNPROCESSABLE_ENTITY, message, errors=[{"field": "amount", "message": message}])


def _answered(answer: Answer, response: Response, *, created: bool = False) -> Answer:
    """201 or 200 when live has it, 202 when it is in the log and live has yet to read it, 412 when it has moved on."""
    if answer.decision == "stale":
        raise Failed(
            HTTPStatus.PRECONDITION_FAILED,
            f"somebody changed it: it is at version {answer.version}; read it again",
            headers={"ETag": f'"{answer.version}"'},
        )
    if answer.decision == "pending":
        response.status_code = HTTPStatus.ACCEPTED
    elif created and answer.decision == "duplicate":
        response.status_code = HTTPStatus.OK
    response.headers["ETag"] = f'"{answer.version}"'
    return answer
