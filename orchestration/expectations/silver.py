"""What must hold of a staged batch before it is published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ingestion.acceptance import Sight, decide
from orchestration.batches import parquet
from orchestration.batches.register import Staged, record_audit
from orchestration.expectations.runner import Expected, Outcome, run
from orchestration.silver import PLACE

if TYPE_CHECKING:
    import pandas as pd
    import psycopg
    import pyarrow as pa

_UUID = "^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_PLACE = [*PLACE]
_THING = ["workspace_id", "entity", "entity_id"]
_DECISIONS = ["accepted", "duplicate", "stale"]


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
        *(_not_null(c) for c in (*_PLACE, *_THING, "event_id", "version", "operation", "decision", "ingest_date")),
        *(_matches(column, _UUID) for column in ("workspace_id", "entity_id", "event_id")),
        Expected("ExpectColumnValuesToBeBetween", {"column": "version", "min_value": 1}),
        Expected("ExpectColumnValuesToBeInSet", {"column": "decision", "value_set": _DECISIONS}),
        Expected("ExpectCompoundColumnsToBeUnique", {"column_list": _PLACE}),
        _equal("decision", "decision_by_the_rule"),
    ]
    return suite + _money() if batch.topic == "transaction" else suite


def lines_suite() -> list[Expected]:
    """Of the lines of transactions."""
    return [
        *(_not_null(column) for column in (*_PLACE, "line_no", "line_id", "amount", "currency")),
        _matches("line_id", _UUID),
        Expected("ExpectColumnValuesToBeBetween", {"column": "line_no", "min_value": 1}),
        Expected("ExpectCompoundColumnsToBeUnique", {"column_list": [*_PLACE, "line_no"]}),
    ]


def event_frame(lake: str, batch: Staged) -> pd.DataFrame:
    """The columns that `events_suite` looks at; for transactions with `lines_total`, the sum of each one's lines."""
    import pandas as pd

    columns = [*_PLACE, *_THING, "event_id", "version", "operation", "decision", "ingest_date"]
    if batch.topic == "transaction":
        columns += ["kind", "status", "amount", "currency", "account_id", "occurred_on"]
    events = parquet.dataset(lake, f"{batch.path}/events")
    if events is None:
        money = ["lines_total"] if batch.topic == "transaction" else []
        return pd.DataFrame(columns=[*columns, "decision_by_the_rule", *money])
    table = events.to_table(columns=columns)
    if batch.topic == "transaction":
        table = table.join(_line_totals(lake, batch), _PLACE)
    frame = _pandas(table)
    frame["decision_by_the_rule"] = _decisions(frame, _quarantined(lake, batch))
    for compared in frame.columns.intersection(["decision", "amount", "lines_total"]):
        frame[compared] = table[compared].to_pandas()  # plain objects: GX cannot compare Arrow's nulls
    return frame


def line_frame(lake: str, batch: Staged) -> pd.DataFrame:
    """The columns that `lines_suite` looks at."""
    columns = [*_PLACE, "line_no", "line_id", "amount", "currency"]
    return _pandas(parquet.dataset(lake, f"{batch.path}/lines").to_table(columns=columns))


def _pandas(table: pa.Table) -> pd.DataFrame:
    """In Arrow's own memory, not as an object a value."""
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)


def _money() -> list[Expected]:
    return [
        *(_not_null(column) for column in ("account_id", "occurred_on", "amount", "currency", "lines_total")),
        _matches("account_id", _UUID),
        _matches("currency", "^[A-Z]{3}$"),
        _in_set("operation", ["recorded", "amended", "voided", "restored"]),
        _in_set("kind", ["expense", "refund", "income", "transfer"]),
        _in_set("status", ["pending", "posted"]),
        _between("amount", "kind == 'expense'", min_value=0),
        _between("amount", "kind in ('refund', 'income')", max_value=0),
        _equal("amount", "lines_total"),
    ]


def _quarantined(lake: str, batch: Staged) -> pd.DataFrame | None:
    """The events that broke a rule: not published, but seen by the acceptance rule."""
    rows = parquet.dataset(lake, f"{batch.path}/quarantine")
    if rows is None:
        return None
    wanted = [*_PLACE, "workspace_id", "entity_id", "event_id", "version"]
    is_user = batch.topic == "user"  # of all topics the one with several kinds of things
    frame = _pandas(rows.to_table(columns=[*wanted, *["row"] * is_user])).drop_duplicates(_PLACE)
    return frame.assign(entity=frame["row"].map(_entity) if is_user else batch.topic)


def _entity(event: str) -> str:
    return json.loads(event)["entity"]


def _decisions(frame: pd.DataFrame, others: pd.DataFrame | None) -> pd.Series:
    """The decision on each event by the rule's reference in Python; only things with several events need it."""
    import pandas as pd

    seen = frame if others is None else pd.concat([frame, others], ignore_index=True)
    several = seen[seen.duplicated(_THING, keep=False)].sort_values(_PLACE)
    sights = [
        Sight(event_id, tuple(thing), version)
        for event_id, version, *thing in several[["event_id", "version", *_THING]].itertuples(index=False, name=None)
    ]
    decisions = pd.Series("accepted", index=seen.index, dtype=object)
    decisions[several.index] = decide(sights)
    return decisions[: len(frame)]


def _line_totals(lake: str, batch: Staged) -> pa.Table:
    lines = parquet.dataset(lake, f"{batch.path}/lines").to_table(columns=[*_PLACE, "amount"])
    return lines.group_by(_PLACE).aggregate([("amount", "sum")]).rename_columns([*_PLACE, "lines_total"])


def _not_null(column: str) -> Expected:
    return Expected("ExpectColumnValuesToNotBeNull", {"column": column})


def _matches(column: str, regex: str) -> Expected:
    return Expected("ExpectColumnValuesToMatchRegex", {"column": column, "regex": regex})


def _in_set(column: str, values: Sequence[str]) -> Expected:
    return Expected("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


def _between(column: str, condition: str, **bounds: Any) -> Expected:
    return Expected(
        "ExpectColumnValuesToBeBetween",
        {"column": column, "row_condition": condition, "condition_parser": "pandas", **bounds},
    )


def _equal(column: str, other: str) -> Expected:
    arguments = {"column_A": column, "column_B": other, "ignore_row_if": "neither"}
    return Expected("ExpectColumnPairValuesToBeEqual", arguments)
