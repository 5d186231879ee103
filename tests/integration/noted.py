"""A workspace whose transactions are known by their notes: what tests of rules that amend share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from ingestion import events
from outlay.db import session
from outlay.ledger.commands import Ledger
from outlay.ledger.workspaces import Workspace, ensure_workspace
from outlay.settings import Settings
from tests.landing import append
from tests.support import until

EVERYTHING = {
    "occurred_at_local": datetime(2026, 5, 1, 8, 30),  # noqa: DTZ001 - the clock on the wall
    "posted_on": date(2026, 5, 2),
    "counterparty": "DE02120300000000202051",
    "tags": ["a", "b"],
    "external_id": "bank-1",
    "import_id": uuid4(),
    "attachments": [{"attachment_id": uuid4(), "sha256": "ab" * 32, "media_type": "image/png", "name": "receipt.png"}],
}
"""Fields that no rule may touch."""
_LINKS = ("refund_of", "transfer_pair")


def recorded(here: Settings, name: str, noted: Mapping[str, Mapping[str, Any]]) -> Workspace:
    """A workspace of its own, with a transaction for each note. Another transaction is named by its note."""
    with Ledger() as ledger:
        workspace = ensure_workspace(ledger, name=f"{name} {uuid4()}", currency="EUR", time_zone="Europe/Rome")
    told = []
    for note, fields in noted.items():
        links = {link: identity(workspace, fields[link]) for link in _LINKS if isinstance(fields.get(link), str)}
        given = {
            "note": note,
            "source": "import",
            "currency": "EUR",
            "occurred_on": date(2026, 5, 1),
            **fields,
            **links,
        }
        ids = {"workspace_id": workspace.workspace_id, "transaction_id": identity(workspace, note)}
        told.append(events.transaction(**given, **ids))
    append(here, *told)
    until(lambda: len(current(workspace)) == len(told), what="live has them")
    return workspace


def identity(workspace: Workspace, note: str) -> UUID:
    """The id of the transaction of that note."""
    return events.derived_id(workspace.workspace_id, note)


def current(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Note -> the newest event's own fields, and its source."""
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (entity_id) state, source FROM live.events"
            " WHERE topic = 'transaction' AND decision = 'accepted' ORDER BY entity_id, version DESC"
        ).fetchall()
    return {state["note"]: state | {"source": source} for state, source in rows}


def amend(ledger: Ledger, workspace: Workspace, note: str, changes: Mapping[str, Any], *, version: int = 1) -> None:
    """As somebody does in the app, who sees that version."""
    by = {"actor_id": events.owner_of(workspace.workspace_id), "source": "app", "wait": 30}
    thing = (workspace.workspace_id, identity(workspace, note))
    assert ledger.amend(*thing, changes, expected_version=version, **by).decision == "accepted"


def overtaken(read: Callable[..., Any], change: Callable[[], None]) -> Callable[..., Any]:
    """`read`, and right after its first answer somebody changes what it has read."""
    waiting = [change]

    def reading(*args: Any, **kwargs: Any) -> Any:
        answer = read(*args, **kwargs)
        while waiting:
            waiting.pop()()
        return answer

    return reading
