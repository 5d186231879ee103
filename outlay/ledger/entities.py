"""From the current state of an account, a category or another entity to its next version. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingestion import events
from ingestion.rules import Problem
from outlay.ledger.errors import Refused


def updated(current: Mapping[str, Any], changes: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """The event after `changes` to fields of the entity's record.

    Raises:
        Refused: it is deleted.
    """
    _must_be(current, deleted=False, message="it was taken out of use: bring it back before changing it")
    return _following(current, changes, "updated", **by)


def kept(current: Mapping[str, Any], changes: Mapping[str, Any], **by: Any) -> dict[str, Any]:
    """As `updated`, and of one that is out of use too, which stays so."""
    is_deleted = current["operation"] == "deleted"
    return _following(current, changes, "deleted" if is_deleted else "updated", **by)


def deleted(current: Mapping[str, Any], changes: Mapping[str, Any] | None = None, **by: Any) -> dict[str, Any]:
    """The event that takes it out of use, with `changes` to fields of its record.

    Raises:
        Refused: it is deleted already.
    """
    _must_be(current, deleted=False, message="it was taken out of use already")
    return _following(current, changes or {}, "deleted", **by)


def restored(current: Mapping[str, Any], changes: Mapping[str, Any] | None = None, **by: Any) -> dict[str, Any]:
    """The event that brings it back into use, with `changes` to fields of its record.

    Raises:
        Refused: it is not deleted.
    """
    _must_be(current, deleted=True, message="it is in use")
    return _following(current, changes or {}, "restored", **by)


def _must_be(current: Mapping[str, Any], *, deleted: bool, message: str) -> None:
    if (current["operation"] == "deleted") != deleted:
        raise Refused([Problem("deleted" if deleted else "not_deleted", "operation", message)])


def _following(current: Mapping[str, Any], changes: Mapping[str, Any], operation: str, **by: Any) -> dict[str, Any]:
    return events.entity(
        entity=current["entity"],
        entity_id=current["entity_id"],
        workspace_id=current["workspace_id"],
        state={**current["state"], **changes},
        version=current["version"] + 1,
        operation=operation,
        **by,
    )
