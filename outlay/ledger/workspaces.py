"""Workspaces and what a person at the command line needs in one: an account, a category. All idempotent by name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ingestion import events
from ingestion.events import derived_id, new_id, owner_of
from outlay.db import session
from outlay.ledger.commands import Answer, Ledger, LiveStalled
from outlay.ledger.entities import restored
from outlay.ledger.queries import choices
from outlay.ledger.states import ACCOUNT

_SOURCE = "app"
_WAIT = 30  # seconds for live to read an event that the next step builds on


@dataclass(frozen=True)
class Workspace:
    """A household or company; amounts are shown in its currency, days begin in its time zone.

    `role`: what whoever looks at it may do there.
    """

    workspace_id: UUID
    name: str | None
    currency: str
    time_zone: str | None
    role: str = "owner"


@dataclass(frozen=True)
class Account:
    """Where money leaves from or comes to."""

    account_id: UUID
    name: str | None
    currency: str
    type: str


def all_workspaces() -> list[Workspace]:
    """Every workspace of this installation, by name."""
    with session("operator") as connection, connection.cursor(row_factory=class_row(Workspace)) as cursor:
        return cursor.execute("SELECT workspace_id, name, currency, time_zone FROM live.all_workspaces()").fetchall()


def named(name: str) -> list[Workspace]:
    """The workspaces that whoever runs the installation means by a name, or by an id.

    People choose the names of theirs: what an account owns is meant by its id, unless it was made by this name here.
    """
    known, own = all_workspaces(), derived_id("workspace", name)
    sure = [each for each in known if each.workspace_id == own or name == str(each.workspace_id)]
    return sure or [each for each in known if each.name == name and not _owned_by_an_account(each.workspace_id)]


def _owned_by_an_account(workspace_id: UUID) -> bool:
    with session("operator", workspace_id=workspace_id) as connection:
        rows = connection.execute("SELECT user_id FROM live.members WHERE role = 'owner'").fetchall()
    with session("auth") as connection:
        owners = [user_id for (user_id,) in rows]
        return connection.execute("SELECT 1 FROM auth.users WHERE user_id = ANY(%s)", (owners,)).fetchone() is not None


def workspaces_of(user_id: UUID) -> list[Workspace]:
    """The workspaces that somebody is a member of, by name."""
    with session("app", user_id=user_id) as connection, connection.cursor(row_factory=class_row(Workspace)) as cursor:
        return cursor.execute(
            "SELECT workspace_id, name, currency, time_zone, role FROM live.my_workspaces()"
        ).fetchall()


def ensure_workspace(ledger: Ledger, *, name: str, currency: str, time_zone: str = "UTC") -> Workspace:
    """The workspace of that name, made with its owner when there is none; an existing one keeps its currency.

    One that somebody with an account calls so is not meant: their workspaces go by their ids.

    Raises:
        KafkaUnavailable: it has to be made, and Kafka does not take events.
        LiveStalled: it was made, and live has not read it.
    """
    workspace_id = derived_id("workspace", name)
    if meant := named(name):
        return meant[0]
    owner, locale = owner_of(workspace_id), {"locale": None, "time_zone": time_zone}
    state = {"name": name, "currency": currency, "time_zone": time_zone}
    _create(ledger, None, "user", owner, {"name": "Owner", "email": None, **locale}, actor_id=owner)
    membership = {"user_id": owner, "role": "owner"}
    _create(ledger, workspace_id, "membership", derived_id(workspace_id, "membership", owner), membership)
    _create(ledger, workspace_id, "workspace", workspace_id, state)  # last: what is looked for above is then complete
    return Workspace(workspace_id, name, currency, time_zone)


def ensure_account(
    ledger: Ledger, workspace: Workspace, *, name: str, currency: str, type: str = "checking"
) -> Account:
    """The workspace's account of that name and currency, made or reopened when there is none.

    Errors as of `ensure_workspace`.
    """
    account_id = derived_id(workspace.workspace_id, "account", name, currency)
    owner = owner_of(workspace.workspace_id)
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        known = _accounts(connection, name, currency)
        is_taken = ACCOUNT.current(connection, account_id) is not None
    if known:
        found, version, is_closed = known[0]
        if is_closed:
            again = {"expected_version": version, "actor_id": owner, "source": _SOURCE, "wait": _WAIT}
            _read(ledger.change(ACCOUNT, workspace.workspace_id, found.account_id, restored, **again), "account")
        return found
    if is_taken:
        account_id = new_id()  # the one that was made by this name is called otherwise now
    state = {"name": name, "type": type, "currency": currency, "institution": None, "owner_id": owner}
    _create(ledger, workspace.workspace_id, "account", account_id, state)
    return Account(account_id, name, currency, type)


def ensure_category(ledger: Ledger, workspace: Workspace, name: str, *, parent_id: str | None = None) -> str:
    """The id of the workspace's own category of that name, made when there is none. Errors as of `ensure_workspace`."""
    category_id = derived_id(workspace.workspace_id, "category", name)
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        tree = choices.categories(connection)
    beside = [each for each in tree.children(parent_id) if tree[each].name == name and not tree.is_archived(each)]
    if beside:
        return beside[0]
    if str(category_id) not in tree:
        state = {"category_id": str(category_id), "name": name, "parent_id": parent_id}
        _create(ledger, workspace.workspace_id, "category", category_id, state)
    return str(category_id)


def _accounts(connection: psycopg.Connection, name: str, currency: str) -> list[tuple[Account, int, bool]]:
    """Those of that name and currency, each with its version and whether it is closed; the open ones first."""
    found = connection.execute(
        "SELECT account_id, name, currency, type, version, closed FROM live.accounts "
        "WHERE workspace_id = live.current_workspace() AND name = %s AND currency = %s ORDER BY closed, account_id",
        (name, currency),
    )
    return [(Account(*account), version, is_closed) for *account, version, is_closed in found]


def _create(
    ledger: Ledger, workspace_id: UUID | None, entity: str, entity_id: UUID, state: dict, actor_id: UUID | None = None
) -> Answer:
    event = events.entity(
        entity=entity,
        entity_id=entity_id,
        state=state,
        workspace_id=workspace_id,
        source=_SOURCE,
        event_id=derived_id(entity_id, entity, "created"),
        actor_id=actor_id or owner_of(workspace_id),
    )
    return _read(ledger.append("user", event, wait=_WAIT), entity)


def _read(answer: Answer, entity: str) -> Answer:
    if answer.decision == "stale":
        raise LiveStalled(f"somebody changed the {entity} at this moment: try again")
    if answer.decision == "pending":
        raise LiveStalled(f"live has not read the new {entity} in {_WAIT} s: see `outlay logs live`, and try again")
    return answer
