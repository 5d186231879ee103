"""Recording expenses over REST: one, or up to 500 together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response

from outlay import money
from outlay.api.contract import behind, problems
from outlay.api.expenses import answered
from outlay.api.place import CurrentWorkspace, IdempotencyKey
from outlay.api.problems import Failed, said
from outlay.api.schemas import AnswerOut, NewExpense, NewExpenses, OutcomeOut, OutcomesOut
from outlay.ledger.commands import Answer, LineDraft, Refused, TransactionDraft
from outlay.money import NotMoney

router = APIRouter(prefix="/expenses", tags=["expenses"])


@router.post(
    "",
    response_model=AnswerOut,
    status_code=HTTPStatus.CREATED,
    responses=behind(AnswerOut)
    | problems({409: "another transaction has the `external_id`", 412: "somebody has changed it since"}),
)
def record(
    expense: NewExpense,
    workspace: CurrentWorkspace,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> Answer:
    """Record one transaction. With an `Idempotency-Key`, an `event_id` or an `external_id`, sending it again is the
    same event. 409: another transaction has the external_id."""
    _check_minor_units({"": expense})
    answer = workspace.ledger().record(
        _draft(expense),
        workspace_id=workspace.workspace_id,
        actor_id=workspace.actor_id,
        source="api",
        event_id=_event_id(expense, workspace.event_id(idempotency_key)),
    )
    response.headers["Location"] = f"/api/expenses/{answer.entity_id}"
    return answered(answer, response)


@router.post("/bulk", response_model=OutcomesOut, responses=behind(OutcomesOut))
def record_many(
    given: NewExpenses, workspace: CurrentWorkspace, response: Response, idempotency_key: IdempotencyKey = None
) -> OutcomesOut:
    """Record up to 500 transactions together. All are judged first: where one is not as it should be, none is recorded.

    With an `Idempotency-Key`, or ids of their own, sending them again adds what is not there yet."""
    _check_minor_units({f"expenses.{number}.": expense for number, expense in enumerate(given.expenses)})
    drafts = [
        (_event_id(expense, workspace.event_id(idempotency_key, number)), _draft(expense))
        for number, expense in enumerate(given.expenses)
    ]
    by = {"workspace_id": workspace.workspace_id, "actor_id": workspace.actor_id, "source": "api"}
    outcomes = [_outcome(outcome) for outcome in workspace.ledger().record_many(drafts, at="expenses.", **by)]
    counts = Counter(outcome.outcome for outcome in outcomes)
    if counts["pending"]:
        response.status_code = HTTPStatus.ACCEPTED
    names = ("inserted", "already_there", "pending", "refused")
    return OutcomesOut(**{name: counts[name] for name in names}, outcomes=outcomes)


def _event_id(expense: NewExpense, keyed: UUID | None) -> UUID | None:
    """The caller's own, or that of its key; an external_id makes one by itself, whichever request it comes with."""
    return expense.event_id or (None if expense.external_id else keyed)


def _draft(expense: NewExpense) -> TransactionDraft:
    given = expense.model_dump(exclude={"event_id", "lines"})
    return TransactionDraft(**given, lines=[LineDraft(**line.model_dump()) for line in expense.lines])


def _outcome(outcome: Answer | Refused) -> OutcomeOut:
    if isinstance(outcome, Refused):
        nothing = dict.fromkeys(("transaction_id", "event_id", "version"))
        return OutcomeOut(outcome="refused", **nothing, detail=str(outcome))
    became = "pending" if outcome.decision == "pending" else "inserted" if outcome.appended else "already_there"
    return OutcomeOut(
        outcome=became, transaction_id=outcome.entity_id, event_id=outcome.event_id, version=outcome.version
    )


def _check_minor_units(given: dict[str, NewExpense]) -> None:
    """Refuse an amount of fractions of the smallest unit; `given` has what stands before the names of the fields."""
    errors = [error for at, expense in given.items() for error in _too_fine(at, expense)]
    if errors:
        raise Failed(HTTPStatus.UNPROCESSABLE_ENTITY, said(errors), errors=errors)


def _too_fine(at: str, expense: NewExpense) -> Iterator[dict[str, str]]:
    try:
        units = money.currency(expense.currency).minor_units
    except NotMoney as error:
        yield {"field": f"{at}currency", "message": str(error)}
        return
    amounts = {"amount": expense.amount} | {f"lines.{n}.amount": line.amount for n, line in enumerate(expense.lines)}
    for field, amount in amounts.items():
        if amount != money.round_to_minor(amount, expense.currency):
            yield {"field": f"{at}{field}", "message": f"{expense.currency} has {units} decimals, got {amount}"}
