"""What must hold of a staged batch before it is published.

Great Expectations looks at numbers, and at columns of few values, as they are. Over what is another value in each row
(ids, money) it would take longest and most memory: of these Arrow makes a column ``<name>_wrong``, which holds the
values that are not as they should be, is null everywhere else, and is expected to be null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.acceptance import Sight, decide
from orchestration.batches import parquet
from orchestration.batches.register import Staged, record_audit
from orchestration.expectations.runner import Expected, Outcome, run
from orchestration.silver import PLACE

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

_UUID = "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_PLACE = [*PLACE]
_THING = ["workspace_id", "entity", "entity_id"]
_DECISIONS = ["accepted", "duplicate", "stale"]
_IDS = ["workspace_id", "entity_id", "event_id"]
_PLAIN = [*_PLACE, "entity", "version", "operation", "decision", "ingest_date"]
_PLAIN_MONEY = ["kind", "status", "occurred_on"]
_NOTHING = Decimal(0)
_MONEY = ["account_id", "currency", "amount", "lines_total"]


def audit(lake: str, batch: Staged) -> list[Outcome]:
    """Hold the suites of the batch's topic against its Parquet.

    Raises:
        ArrowInvalid, OSError: the Parquet cannot be read.
    """
    outcomes = [run(f"{batch.topic}_events", event_frame(lake, batch), events_suite(batch))]
    if batch.topic == "transaction" and batch.events:
        outcomes.append(run("transaction_lines", line_frame(lake, batch), lines_suite()))
    return outcomes


def audit_staged(connection: psycopg.Connection, lake: str, batch: Staged) -> list[Outcome]:
    """`audit` the batch, and record whether it may be published. Raises what that raises."""
    found = audit(lake, batch)
    record_audit(connection, batch, passed=all(outcome.passed for outcome in found))
    return found


def events_suite(batch: Staged) -> list[Expected]:
    """Of the events of any topic; of transactions, their money as well."""
    suite = [
        Expected("ExpectTableRowCountToEqual", {"value": batch.rows_read - batch.rows_quarantined}),
        *map(_not_null, _PLAIN),
        *map(_right, (*_IDS, "decision")),
        Expected("ExpectColumnValuesToBeBetween", {"column": "version", "min_value": 1}),
        _in_set("decision", _DECISIONS),
        Expected("ExpectCompoundColumnsToBeUnique", {"column_list": _PLACE}),
    ]
    return suite + _money() if batch.topic == "transaction" else suite


def _money() -> list[Expected]:
    return [
        *map(_not_null, _PLAIN_MONEY),
        *map(_right, _MONEY),
        _in_set("operation", ["recorded", "amended", "voided", "restored"]),
        _in_set("kind", ["expense", "refund", "income", "transfer"]),
        _in_set("status", ["pending", "posted"]),
    ]


def lines_suite() -> list[Expected]:
    """Of the lines of transactions."""
    return [
        *map(_not_null, (*_PLACE, "line_no", "currency")),
        *map(_right, ("line_id", "amount")),
        Expected("ExpectColumnValuesToBeBetween", {"column": "line_no", "min_value": 1}),
        Expected("ExpectCompoundColumnsToBeUnique", {"column_list": [*_PLACE, "line_no"]}),
    ]


def event_frame(lake: str, batch: Staged) -> pd.DataFrame:
    """The columns that `events_suite` looks at."""
    is_money = batch.topic == "transaction"
    plain, looked_at = (_PLAIN + _PLAIN_MONEY, _IDS + _MONEY) if is_money else (_PLAIN, _IDS)
    events = parquet.dataset(lake, f"{batch.path}/events")
    if events is None:
        return _empty([*plain, *(f"{name}_wrong" for name in (*looked_at, "decision"))])
    table = events.to_table(columns=[name for name in (*plain, *looked_at) if name != "lines_total"])
    if is_money:
        table = table.join(_line_totals(lake, batch), _PLACE)
    right = {name: pc.match_substring_regex(table[name], _UUID) for name in _IDS}
    right["decision"] = _decided_by_the_rule(table, _quarantined(lake, batch))
    return _frame(table, plain, right | _right_money(table) if is_money else right)


def line_frame(lake: str, batch: Staged) -> pd.DataFrame:
    """The columns that `lines_suite` looks at."""
    plain = [*_PLACE, "line_no", "currency"]
    table = parquet.dataset(lake, f"{batch.path}/lines").to_table(columns=[*plain, "line_id", "amount"])
    right = {"line_id": pc.match_substring_regex(table["line_id"], _UUID), "amount": pc.is_valid(table["amount"])}
    return _frame(table, plain, right)


def _right_money(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """An expense is not negative, a refund and an income are not positive; the lines sum to the amount."""
    kind, amount = table["kind"], table["amount"]
    comes_back = pc.is_in(kind, pa.array(["refund", "income"]))
    sign = pc.if_else(pc.equal(kind, "expense"), pc.greater_equal(amount, _NOTHING), pc.less_equal(amount, _NOTHING))
    is_signed = pc.or_(comes_back, pc.equal(kind, "expense"))
    return {
        "account_id": pc.match_substring_regex(table["account_id"], _UUID),
        "currency": pc.match_substring_regex(table["currency"], "^[A-Z]{3}$"),
        "amount": pc.and_(pc.is_valid(amount), pc.or_(pc.invert(is_signed), sign)),
        "lines_total": pc.equal(table["lines_total"], amount),
    }


def _frame(table: pa.Table, plain: Sequence[str], right: Mapping[str, pa.ChunkedArray]) -> pd.DataFrame:
    """The columns as they are, and of each that is looked at the values where it is not `right`.

    What is missing is told in words. Text and dates become categories: numbers that say which of a few values.
    """
    columns = {name: table[name] for name in plain}
    for name, is_right in right.items():
        well = pc.fill_null(is_right, False)
        told = pc.if_else(well, pa.scalar(None, table[name].type), table[name]).cast(pa.string())
        columns[f"{name}_wrong"] = pc.if_else(pc.or_(well, pc.is_valid(told)), told, "nothing")
    of_few = (pa.types.is_string, pa.types.is_large_string, pa.types.is_date)
    made = {
        name: column.dictionary_encode() if any(is_such(column.type) for is_such in of_few) else column
        for name, column in columns.items()
    }
    return pa.table(made).to_pandas()


def _empty(names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=names)


def _quarantined(lake: str, batch: Staged) -> pa.Table | None:
    """The events that broke a rule: not published, but seen by the acceptance rule."""
    rows = parquet.dataset(lake, f"{batch.path}/quarantine")
    if rows is None:
        return None
    wanted = [*_PLACE, "workspace_id", "entity_id", "event_id", "version"]
    if batch.topic != "user":  # of all topics the one with several kinds of things
        table = rows.to_table(columns=wanted).group_by(wanted).aggregate([])
        return table.append_column("entity", pa.repeat(batch.topic, len(table)))
    table = rows.to_table(columns=[*wanted, "row"]).group_by([*wanted, "row"]).aggregate([])
    kinds = [json.loads(event)["entity"] for event in table["row"].to_pylist()]
    return table.drop_columns("row").append_column("entity", pa.array(kinds, pa.string()))


def _decided_by_the_rule(events: pa.Table, others: pa.Table | None) -> pa.Array:
    """Whether each decision is that of the rule's reference in Python; only things with several events need it."""
    wanted = [*_PLACE, *_THING, "event_id", "version"]
    seen = [table.select(wanted) for table in (events, others) if table is not None]
    every = pa.concat_tables(seen, promote_options="permissive")
    every = every.append_column("row", pa.array(range(len(every)), pa.int64()))
    counted = every.group_by(_THING).aggregate([([], "count_all")])
    keys = counted.filter(pc.field("count_all") > 1).select(_THING)
    several = every.join(keys, _THING, join_type="left semi").sort_by([(name, "ascending") for name in _PLACE])
    sights = [
        Sight(row["event_id"], tuple(row[name] for name in _THING), row["version"]) for row in several.to_pylist()
    ]
    decisions = events["decision"]
    is_due = pc.fill_null(pc.equal(decisions, "accepted"), False).to_numpy().copy()
    for row, decision in zip(several["row"].to_pylist(), decide(sights), strict=True):
        if row < len(events):
            is_due[row] = decisions[row].as_py() == decision
    return pa.array(is_due)


def _line_totals(lake: str, batch: Staged) -> pa.Table:
    lines = parquet.dataset(lake, f"{batch.path}/lines").to_table(columns=[*_PLACE, "amount"])
    return lines.group_by(_PLACE).aggregate([("amount", "sum")]).rename_columns([*_PLACE, "lines_total"])


def _not_null(column: str) -> Expected:
    return Expected("ExpectColumnValuesToNotBeNull", {"column": column})


def _right(column: str) -> Expected:
    return Expected("ExpectColumnValuesToBeNull", {"column": f"{column}_wrong"})


def _in_set(column: str, values: Sequence[str]) -> Expected:
    return Expected("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})
