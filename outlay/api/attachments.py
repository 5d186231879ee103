"""Receipts and other files of an expense over REST."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from outlay.api import files, schemas
from outlay.api.contract import NO_TRANSACTION, behind, problems
from outlay.api.expenses import answered
from outlay.api.place import Change, CurrentWorkspace, Place
from outlay.api.schemas import AnswerOut
from outlay.ledger import attachments
from outlay.ledger.commands import Answer, NotFound
from outlay.ledger.queries import expenses
from outlay.settings import settings

router = APIRouter(prefix="/expenses/{transaction_id}/attachments", tags=["attachments"])

_CHANGED = NO_TRANSACTION | behind(AnswerOut)


@router.post(
    "",
    response_model=AnswerOut,
    status_code=HTTPStatus.CREATED,
    responses=_CHANGED,
)
def attach(
    transaction_id: UUID, file: files.Upload, workspace: CurrentWorkspace, change: Change, response: Response
) -> Answer:
    """Attach a receipt or another file: a PDF, JPEG, PNG, WebP or GIF. `Location` is where it is read."""
    given = attachments.File(file.file.read(), file.filename)
    to = (workspace.ledger(), settings().lake, workspace.workspace_id, transaction_id)
    by = change.of(workspace, {"sha256": given.sha256})
    answer = answered(attachments.attach(*to, given, **by), response)
    where = schemas.attachment_path(transaction_id, attachments.id_of(transaction_id, given.sha256))
    response.headers["Location"] = where
    return answer


@router.get(
    "/{attachment_id}",
    response_class=Response,
    responses=files.told("The file.", "application/pdf", "image/*")
    | problems({404: "there is no such transaction, or it has no such attachment", 500: "the lake has lost the file"}),
)
def read_attachment(transaction_id: UUID, attachment_id: UUID, workspace: CurrentWorkspace) -> Response:
    """The file, as it was sent."""
    found = _named(workspace, transaction_id, attachment_id)
    read = partial(attachments.content, settings().lake, workspace.workspace_id, found["sha256"])
    return files.given_out(read, found["media_type"], found["name"])


@router.delete("/{attachment_id}", response_model=AnswerOut, responses=_CHANGED)
def detach(
    transaction_id: UUID, attachment_id: UUID, workspace: CurrentWorkspace, change: Change, response: Response
) -> Answer:
    """Take an attachment off an expense. A version that had it can be restored, with the file."""
    to = (workspace.ledger(), workspace.workspace_id, transaction_id, attachment_id)
    return answered(attachments.detach(*to, **change.of(workspace)), response)


def _named(workspace: Place, transaction_id: UUID, attachment_id: UUID) -> dict[str, Any]:
    with workspace.session() as connection:
        expense = expenses.one(connection, transaction_id)
    if expense is None:
        raise NotFound(transaction_id)
    for attachment in expense.attachments:
        if UUID(attachment["attachment_id"]) == attachment_id:
            return attachment
    raise NotFound(attachment_id, entity="attachment")
