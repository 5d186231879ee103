"""A workspace's accounts, cards and purses over REST."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response

from ingestion.events import derived_id, new_id
from outlay.api.contract import problems
from outlay.api.expenses import answered
from outlay.api.place import Change, CurrentWorkspace, IdempotencyKey, Place
from outlay.api.problems import decided
from outlay.api.schemas import AccountChanges, AccountOut, NewAccount
from outlay.ledger import financial_accounts
from outlay.ledger.commands import Answer, NotFound
from outlay.ledger.queries import choices

router = APIRouter(tags=["accounts"])

_NO_ACCOUNT = problems({404: "there is no such account"})


@router.get("/accounts", response_model=list[AccountOut])
def list_accounts(workspace: CurrentWorkspace) -> list[choices.Account]:
    """The workspace's accounts, the closed ones last."""
    with workspace.session() as connection:
        return choices.accounts(connection)


@router.post(
    "/accounts",
    response_model=AccountOut,
    status_code=HTTPStatus.CREATED,
    responses=problems({409: "the key is of another account"}),
)
def open_account(
    given: NewAccount, workspace: CurrentWorkspace, response: Response, idempotency_key: IdempotencyKey = None
) -> choices.Account:
    """Open an account. With an `Idempotency-Key`, a retry is the same one."""
    key = workspace.event_id(idempotency_key)
    account_id = derived_id(key, "account") if key else new_id()
    state = given.model_dump()
    by = {"by": workspace.actor_id, "source": "api"}
    with workspace.session() as connection:
        financial_accounts.check(connection, state)
    answer = financial_accounts.open_account(workspace.ledger(), workspace.workspace_id, account_id, state, **by)
    response.headers["Location"] = f"/api/accounts/{account_id}"
    if answer.decision == "pending":
        response.status_code = HTTPStatus.ACCEPTED
        return choices.Account(account_id, **state, version=1, closed=False)
    return _one(workspace, account_id, response)


@router.get("/accounts/{account_id}", response_model=AccountOut, responses=_NO_ACCOUNT)
def read_account(account_id: UUID, workspace: CurrentWorkspace, response: Response) -> choices.Account:
    """One account; its version is the ETag."""
    return _one(workspace, account_id, response)


@router.patch("/accounts/{account_id}", response_model=AccountOut, responses=_NO_ACCOUNT)
def amend_account(
    account_id: UUID, given: AccountChanges, workspace: CurrentWorkspace, change: Change, response: Response
) -> choices.Account:
    """Change fields of an open account that nobody else has changed since you read it."""
    changes = given.model_dump(exclude_unset=True)
    with workspace.session() as connection:
        financial_accounts.check(connection, changes)
    to = (workspace.ledger(), workspace.workspace_id, account_id)
    answer = financial_accounts.amend(*to, changes, **change.of(workspace, changes))
    return _changed(answer, workspace, response)


@router.post("/accounts/{account_id}/close", response_model=AccountOut, responses=_NO_ACCOUNT)
def close_account(account_id: UUID, workspace: CurrentWorkspace, change: Change, response: Response) -> choices.Account:
    """Close an account: nothing more is recorded on it, and what was stays as it is."""
    to = (workspace.ledger(), workspace.workspace_id, account_id)
    return _changed(financial_accounts.close(*to, **change.of(workspace)), workspace, response)


@router.post("/accounts/{account_id}/reopen", response_model=AccountOut, responses=_NO_ACCOUNT)
def reopen_account(
    account_id: UUID, workspace: CurrentWorkspace, change: Change, response: Response
) -> choices.Account:
    """Open a closed account again."""
    to = (workspace.ledger(), workspace.workspace_id, account_id)
    return _changed(financial_accounts.reopen(*to, **change.of(workspace)), workspace, response)


def _changed(answer: Answer, workspace: Place, response: Response) -> choices.Account:
    decided(answered(answer, response))
    return _one(workspace, answer.entity_id, response)


def _one(workspace: Place, account_id: UUID, response: Response) -> choices.Account:
    with workspace.session() as connection:
        for account in choices.accounts(connection):
            if account.account_id == account_id:
                response.headers["ETag"] = f'"{account.version}"'
                return account
    raise NotFound(account_id, entity="account")
