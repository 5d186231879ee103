"""Live and gold, compared: live = gold + quarantined, as of the place in the log that gold has reached.

By id, line by line, and by count and sum for each workspace, currency, month and category. Both views come from one
log, so a difference is a fault; it names the transaction and the first layer that differs from what the log says.
The monthly totals that live keeps are recounted too.

What was found to be the same stays so until something changes it, and what changes gold comes in batches: so what is
looked at is what batches have touched since it last held. Once a day, and when gold was made anew, it is everything:
by sums of hashes for each workspace first, which need no layer sorted or joined with another, and line by line where
these differ, or where a transaction has more than the one event that they are of.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from ingestion import named
from ingestion.landing import CorruptedFile, files, read_file
from outlay.db import session
from outlay.settings import settings

Layer = Literal["live", "bronze", "silver", "gold"]

MOST_EXPLAINED = 20
"""How many differing transactions are looked up in each layer; the others are counted."""

WHOLE_EVERY = timedelta(days=1)
"""How often everything is looked at, whatever was touched."""

_STATE = ("version", "is_voided", "kind", "status", "occurred_on", "account_id", "merchant", "currency")
_LINE = ("line_id", "category_id", "amount")


class LiveBehind(RuntimeError):
    """The projector has not come as far as gold, so there is nothing to compare gold with yet."""


class GoldMissing(RuntimeError):
    """Nothing was built yet."""


@dataclass(frozen=True)
class Difference:
    """A transaction that is not the same everywhere."""

    workspace_id: UUID
    transaction_id: UUID
    layer: Layer
    """The first of live, bronze, silver and gold that differs from the log."""
    detail: str
    """What that layer holds, and what was expected of it."""


@dataclass(frozen=True)
class Cell:
    """Count and sum of lines that differ, though each by itself may have been explained above."""

    workspace_id: UUID
    currency: str
    month: date
    category_id: str
    live_lines: int
    live_amount: Decimal
    gold_lines: int
    gold_amount: Decimal


@dataclass(frozen=True)
class Total:
    """A cell of live's monthly totals that its transactions do not come to."""

    workspace_id: UUID
    month: date
    account_id: UUID
    category_id: str
    currency: str
    kind: str
    kept_lines: int
    kept_amount: Decimal
    lines: int
    """Recounted, as is `amount`."""
    amount: Decimal


@dataclass(frozen=True)
class Reconciliation:
    batch_id: int
    """The silver batch up to which gold was compared."""
    since: int
    """What the batches above this one have touched was compared; with 0, everything."""
    live: int
    """Of what was compared: current transactions of live as of there, without quarantined ones."""
    gold: int
    quarantined: int
    """Transactions whose newest event silver set aside."""
    differing: int
    differences: tuple[Difference, ...]
    """At most MOST_EXPLAINED of them, explained."""
    cells: tuple[Cell, ...]
    totals: tuple[Total, ...]

    @property
    def holds(self) -> bool:
        return self.differing == 0 and not self.cells and not self.totals and self.live == self.gold


def reconcile(*, whole: bool = False, patience: float = 60.0) -> Reconciliation:
    """Compare the layers in one snapshot of the database, once live has come as far as gold, within `patience` seconds.

    Args:
        whole: look at everything, also where it held before and nothing touched it since.

    Raises:
        GoldMissing: the facts were never built.
        LiveBehind: live did not come as far in time.
    """
    deadline = time.monotonic() + patience
    while True:
        with session("dbt") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            behind = _begin(connection)
            if not behind:
                return _compare(connection, since=0 if whole else _since(connection))
        if time.monotonic() > deadline:
            partition, gold, live = behind[0]
            raise LiveBehind(
                f"live has not come as far as gold in {len(behind)} partitions: partition {partition} is at offset"
                f" {live}, gold at {gold}; see `outlay status` and `outlay logs live`"
            )
        time.sleep(0.2)


def _begin(connection: psycopg.Connection) -> list[tuple[int, int, int]]:
    """Find how far gold has come; returns (partition, gold's offset, live's offset) where live has not."""
    connection.execute("SET LOCAL work_mem = '128MB'")
    try:
        connection.execute(_sql("reached"))
    except psycopg.errors.UndefinedTable as error:
        raise GoldMissing("there are no facts to reconcile: run `outlay build`") from error
    connection.execute("ANALYZE reached")  # a handful of rows, which the planner would take for a thousand
    return connection.execute(_sql("behind")).fetchall()


def _since(connection: psycopg.Connection) -> int:
    return connection.execute(_sql("since"), {"whole_every": WHOLE_EVERY}).fetchone()[0]


def _look_at(connection: psycopg.Connection, since: int) -> int:
    """Narrow what is read below to what batches above `since` have touched, or to what the sums of a workspace cannot
    vouch for when that is 0; returns how many transactions they vouch for.
    """
    if since == 0:
        equal = _compare_sums(connection)
        connection.execute(_sql("all_months"))
    else:
        equal = 0
        connection.execute(_sql("touched"), {"since": since})
        connection.execute("ANALYZE touched")
        connection.execute(_sql("months_touched"))
        connection.execute("ANALYZE months_touched")
        connection.execute(_sql("months_of_what_was_touched"))
    connection.execute(_sql("what_was_touched"))
    return equal


def _compare_sums(connection: psycopg.Connection) -> int:
    connection.execute(_sql("not_as_written_once"))
    connection.execute("ANALYZE touched")
    connection.execute(_sql("sums"))
    connection.execute(_sql("of_differing_workspaces"))
    connection.execute("ANALYZE touched")
    return connection.execute(_sql("equal_by_sum")).fetchone()[0]


def _compare(connection: psycopg.Connection, *, since: int) -> Reconciliation:
    connection.execute(_sql("changed_since"))
    equal = _look_at(connection, since)
    connection.execute(_sql("newer"))
    connection.execute("ANALYZE newer")
    connection.execute(_sql("live"))
    if connection.execute(_sql("quarantined")).rowcount:
        connection.execute(_sql("set_aside"))
    connection.execute(_sql("gold"))
    connection.execute("ANALYZE live_lines, gold_lines")
    ids = connection.execute(_sql("differing")).fetchall()
    with connection.cursor(row_factory=class_row(Cell)) as cursor:
        cells = tuple(cursor.execute(_sql("cells")).fetchall())
    with connection.cursor(row_factory=class_row(Total)) as cursor:
        totals = tuple(cursor.execute(_sql("totals")).fetchall())
    figures = connection.execute(_sql("figures")).fetchone()
    if figures is None or figures[0] is None:
        raise GoldMissing("there are no facts to reconcile: run `outlay build`")
    explained = tuple(_explain(connection, *pair) for pair in sorted(ids)[:MOST_EXPLAINED])
    batch_id, live, gold, quarantined = figures
    found = Reconciliation(batch_id, since, equal + live, equal + gold, quarantined, len(ids), explained, cells, totals)
    if found.holds:
        connection.execute(_sql("held"), {"since": since})
    return found


State = tuple[tuple[tuple[str, Any], ...], frozenset[tuple[Any, ...]]]


def _explain(connection: psycopg.Connection, workspace_id: UUID, transaction_id: UUID) -> Difference:
    """Hold each layer against the log's own record, in the order in which the event passed through them."""
    ids = {"workspace_id": workspace_id, "transaction_id": transaction_id}
    place = _rows(connection, "place", ids)
    if not place:
        return Difference(workspace_id, transaction_id, "gold", "gold holds it, and no event of it is known")
    try:
        logged = _logged(connection, ids | place[0])
    except CorruptedFile as error:
        return Difference(workspace_id, transaction_id, "bronze", str(error))
    if logged is None:
        where = "{topic_id} partition {partition} offset {offset}".format(**place[0])
        return Difference(workspace_id, transaction_id, "bronze", f"no file of the manifest holds its event at {where}")
    for layer in ("live", "silver", "gold"):
        held = _state(_rows(connection, f"state_{layer}", ids | place[0]))
        # A voided transaction is not in gold at all.
        expected = None if layer == "gold" and dict(logged[0])["is_voided"] else logged
        if held != expected:
            return Difference(workspace_id, transaction_id, layer, _detail(held, expected))
    return Difference(workspace_id, transaction_id, "gold", "a line of it is there twice")


def _logged(connection: psycopg.Connection, at: Mapping[str, Any]) -> State | None:
    """The transaction's state as the event in bronze has it."""
    holding = (
        file
        for file in files(connection, "transaction")
        if (file.topic_id, file.partition) == (at["topic_id"], at["partition"])
        and file.first_offset <= at["offset"] <= file.last_offset
    )
    file = next(holding, None)
    if file is None:
        return None
    for row in read_file(settings().lake, file):
        if row["_offset"] == at["offset"]:
            return _event_state(row["value"])
    return None


def _event_state(event: Mapping[str, Any]) -> State:
    lines = event["lines"] or [
        {"line_id": event["transaction_id"], "category_id": event["category_id"], "amount": event["amount"]}
    ]
    state = {**event, "is_voided": event["operation"] == "voided"}
    return (
        tuple((name, _plain(state[name])) for name in _STATE),
        frozenset((str(x["line_id"]), x["category_id"] or "uncategorised", x["amount"]) for x in lines),
    )


def _state(rows: list[dict[str, Any]]) -> State | None:
    if not rows:
        return None
    return (
        tuple((name, _plain(rows[0][name])) for name in _STATE),
        frozenset(tuple(str(row[n]) if n == "line_id" else row[n] for n in _LINE) for row in rows),
    )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _detail(held: State | None, expected: State | None) -> str:
    if held is None:
        return "it is missing"
    if expected is None:
        return "it is there, though the transaction is void"
    fields = [
        f"{name} is {ours!s}, expected {theirs!s}"
        for (name, ours), (_, theirs) in zip(held[0], expected[0], strict=True)
        if ours != theirs
    ]
    if held[1] != expected[1]:
        fields.append(f"lines are {_lines(held[1])}, expected {_lines(expected[1])}")
    return "; ".join(fields)


def _lines(lines: frozenset[tuple[Any, ...]]) -> str:
    return ", ".join(f"{amount} {category}" for _, category, amount in sorted(lines, key=str))


def _rows(connection: psycopg.Connection, name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql(name), parameters).fetchall()


@cache
def _statements() -> dict[str, str]:
    return named.statements(Path(__file__).with_suffix(".sql"))


def _sql(name: str) -> str:
    return _statements()[name]
