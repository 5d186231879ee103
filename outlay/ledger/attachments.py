"""Receipts and other files of a transaction: kept in the lake, and named by the transaction's events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack
from uuid import UUID

from ingestion.events import derived_id
from outlay import uploads
from outlay.ledger.commands import Answer, Change, Ledger
from outlay.ledger.drafts import attached, detached
from outlay.ledger.states import TRANSACTION


@dataclass(frozen=True)
class File:
    """What somebody sends: its bytes, and what they call it."""

    content: bytes
    name: str | None

    @cached_property
    def sha256(self) -> str:
        return uploads.sha256(self.content)


def id_of(transaction_id: UUID, sha256: str) -> UUID:
    """A transaction's attachment of that content: the same one, however often it is taken off and attached."""
    return derived_id(transaction_id, "attachment", sha256)


def attach(
    ledger: Ledger, lake: str, workspace_id: UUID, transaction_id: UUID, file: File, **change: Unpack[Change]
) -> Answer:
    """Keep a file, and name it in the transaction's next version.

    Raises:
        Refused: it is nothing that is taken, or attached already, or the transaction is void or has too many.
        LakeUnavailable: it cannot be kept. NotFound, KafkaUnavailable, NotAllowed: see `Ledger.change`.
    """
    attachment = {
        "attachment_id": id_of(transaction_id, file.sha256),
        "sha256": file.sha256,
        "media_type": uploads.sniffed(file.content),
        "name": uploads.plain_name(file.name),
    }

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        event = attached(current, attachment, **by)
        uploads.keep(lake, _folder(workspace_id), file.content)  # before the event, which names what is there
        return event

    return ledger.change(TRANSACTION, workspace_id, transaction_id, after, **change)


def detach(
    ledger: Ledger, workspace_id: UUID, transaction_id: UUID, attachment_id: UUID, **change: Unpack[Change]
) -> Answer:
    """Name it no more. The file stays: an earlier version that names it can be restored.

    Raises:
        Refused: the transaction is void, or has no such attachment. See `attach`.
    """

    def after(current: Mapping[str, Any], **by: Any) -> dict[str, Any]:
        return detached(current, attachment_id, **by)

    return ledger.change(TRANSACTION, workspace_id, transaction_id, after, **change)


def content(lake: str, workspace_id: UUID, sha256: str) -> bytes:
    """The bytes of an attachment that one of the workspace's transactions names. Raises what `uploads.kept` raises."""
    return uploads.kept(lake, _folder(workspace_id), sha256)


def _folder(workspace_id: UUID) -> str:
    return f"attachments/{workspace_id}"
