"""The whole states of transactions and other things, from which their next versions go on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ingestion import contracts


class Thing:
    """An entity of the topic `user`, such as an account: what the workspace of a session holds of it now."""

    topic = "user"

    def __init__(self, entity: str):
        self.entity = entity

    def current(self, connection: psycopg.Connection, entity_id: UUID) -> dict[str, Any] | None:
        """The newest version: its ids, version and operation, and its own record as `state`."""
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(
                "SELECT workspace_id, entity, entity_id, version, operation, state -> entity AS state "
                "FROM live.entities "
                "WHERE workspace_id = live.current_workspace() AND entity = %s AND entity_id = %s",
                (self.entity, entity_id),
            ).fetchone()
        if found is not None:
            own = found["state"]
            found["state"] = {
                name: UUID(own[name]) if is_id and own.get(name) else own.get(name)
                for name, is_id in _fields(self.entity)
            }
        return found

    def place(self, connection: psycopg.Connection, entity_id: UUID) -> tuple[UUID, int, int, int]:
        """Of the newest version: event id, version, partition and offset."""
        return connection.execute(
            'SELECT event_id, version, partition, "offset" FROM live.entities '
            "WHERE workspace_id = live.current_workspace() AND entity = %s AND entity_id = %s",
            (self.entity, entity_id),
        ).fetchone()


class _Transaction(Thing):
    topic = "transaction"

    def current(self, connection: psycopg.Connection, entity_id: UUID) -> dict[str, Any] | None:
        return current_transaction(connection, entity_id)

    def place(self, connection: psycopg.Connection, entity_id: UUID) -> tuple[UUID, int, int, int]:
        return connection.execute(
            'SELECT event_id, version, partition, "offset" FROM live.transactions '
            "WHERE workspace_id = live.current_workspace() AND transaction_id = %s",
            (entity_id,),
        ).fetchone()


TRANSACTION, ACCOUNT = _Transaction("transaction"), Thing("account")


@cache
def _fields(entity: str) -> list[tuple[str, bool]]:
    """The fields of an entity's record in the contract, and whether each is an id."""
    [(_, record)] = [field["type"] for field in contracts.schema("user")["fields"] if field["name"] == entity]
    return [(field["name"], "uuid" in str(field["type"])) for field in record["fields"]]


_STATE = (
    *("workspace_id", "transaction_id", "version", "operation", "kind", "status", "account_id", "occurred_on"),
    *("occurred_at_local", "posted_on", "amount", "currency", "merchant", "description", "counterparty"),
    *("category_id", "category_source", "category_confidence", "decided_by", "mcc", "note", "tags", "refund_of"),
    *("transfer_pair", "attachments", "import_id", "external_id"),
)
"""Columns of `live.transactions` that a transaction's next version goes on from; its lines have their own table."""
_COLUMNS = ", ".join(f"(e.state).{name}" for name in _STATE)


def current_transaction(connection: psycopg.Connection, transaction_id: UUID) -> dict[str, Any] | None:
    """The whole current state as the arguments of `events.transaction`, without the envelope but external_id."""
    found = current_transactions(connection, "transaction_id = %(transaction_id)s", transaction_id=transaction_id)
    return found[0] if found else None


def transactions_at(connection: psycopg.Connection, versions: Mapping[UUID, int]) -> dict[UUID, dict[str, Any]]:
    """By transaction_id the whole state after an accepted version of each, as of `current_transaction`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        states = cursor.execute(
            f"SELECT {_COLUMNS}, e.lines FROM ("  # noqa: S608
            "SELECT state -> 'lines' AS lines, jsonb_populate_record(NULL::live.transactions, state || "
            "jsonb_build_object('workspace_id', workspace_id, 'external_id', external_id)) AS state FROM live.events "
            "INNER JOIN unnest(%s::uuid[], %s::int[]) AS wanted (entity_id, version) USING (entity_id, version) "
            "WHERE workspace_id = live.current_workspace() AND entity = 'transaction' AND decision = 'accepted') AS e",
            (list(versions), list(versions.values())),
        ).fetchall()
    return {state["transaction_id"]: _as_current(state) for state in states}


def _as_current(state: dict[str, Any]) -> dict[str, Any]:
    state["lines"] = [
        {
            "line_id": UUID(line["line_id"]),
            "category_id": line.get("category_id"),
            "amount": Decimal(line["amount"]),
            "note": line.get("note"),
        }
        for line in state["lines"] or ()
    ]
    return _with_attachments(state)


def current_transactions(
    connection: psycopg.Connection, where: LiteralString, *, also: LiteralString = "", **parameters: Any
) -> list[dict[str, Any]]:
    """The whole current states of the session's workspace that a condition holds for.

    Args:
        where: SQL, with what may follow a condition.
        also: further columns of `live.transactions`, each after a comma.
    """
    columns = f"{', '.join(_STATE)}{also}"
    query = f"SELECT {columns} FROM live.transactions WHERE workspace_id = live.current_workspace() AND {where}"  # noqa: S608
    with connection.cursor(row_factory=dict_row) as cursor:
        states = cursor.execute(query, parameters).fetchall()
        lines = cursor.execute(
            "SELECT transaction_id, line_id, category_id, amount, note FROM live.transaction_lines "
            "WHERE workspace_id = live.current_workspace() AND transaction_id = ANY(%s) ORDER BY line_no",
            ([state["transaction_id"] for state in states],),
        ).fetchall()
    by_transaction: dict[UUID, list[dict[str, Any]]] = {state["transaction_id"]: [] for state in states}
    for line in lines:
        by_transaction[line.pop("transaction_id")].append(line)
    for state in states:
        state["lines"] = by_transaction[state["transaction_id"]]
        _with_attachments(state)
    return states


def _with_attachments(state: dict[str, Any]) -> dict[str, Any]:
    for attachment in state["attachments"]:
        attachment["attachment_id"] = UUID(attachment["attachment_id"])
    return state
