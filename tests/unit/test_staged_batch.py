"""What the audit of a staged batch says of it, from its Parquet alone: each expectation sees what is wrong."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.batches.register import Staged
from orchestration.expectations.silver import audit, event_frame

ID = str(UUID(int=7))
MONEY = pa.decimal128(18, 4)
TYPES = {"amount": MONEY, "occurred_on": pa.date32(), "partition": pa.int32(), "version": pa.int32()}


def event(offset: int, **changes: Any) -> dict[str, Any]:
    given = {
        "topic_id": "t",
        "partition": 0,
        "offset": offset,
        "workspace_id": ID,
        "entity": "transaction",
        "entity_id": str(UUID(int=offset)),
        "event_id": str(UUID(int=offset)),
        "version": 1,
        "operation": "recorded",
        "decision": "accepted",
        "kind": "expense",
        "status": "posted",
        "occurred_on": date(2026, 1, 5),
        "account_id": ID,
        "currency": "EUR",
        "amount": Decimal("5.0000"),
    }
    return given | changes


def line(offset: int, line_no: int = 1, **changes: Any) -> dict[str, Any]:
    place = {"topic_id": "t", "partition": 0, "offset": offset, "line_no": line_no}
    return place | {"line_id": str(UUID(int=offset)), "amount": Decimal("5.0000"), "currency": "EUR"} | changes


def written(folder: Path, part: str, rows: list[dict[str, Any]], name: str = "rows") -> None:
    into = folder / part / "ingest_date=2026-01-05"
    into.mkdir(parents=True, exist_ok=True)
    fields = [(key, TYPES.get(key, pa.int64() if key in ("offset", "line_no") else pa.string())) for key in rows[0]]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(fields)), into / f"{name}.parquet")


def audited(folder: Path, events: list[dict], lines: list[dict], rows_read: int | None = None) -> list[str]:
    """Write a batch of these events and lines; what its audit finds wrong."""
    written(folder, "events", events)
    written(folder, "lines", lines)
    batch = Staged("", "transaction", [1], rows_read or len(events), len(events), 0, None)
    return [failure for outcome in audit(str(folder), batch) for failure in outcome.failures()]


GOOD = [
    event(0),
    event(1, version=1, operation="voided", entity_id=str(UUID(int=9))),
    event(2, kind="refund", amount=Decimal("-5.0000")),
    event(3, kind="transfer", amount=Decimal("-1.0000")),
    event(4, event_id=str(UUID(int=0)), entity_id=str(UUID(int=0)), decision="duplicate"),
    event(5, entity_id=str(UUID(int=0)), version=2, operation="amended"),
]
LINES = [
    line(0, amount=Decimal("2.0000")),
    line(0, 2, amount=Decimal("3.0000")),
    *(line(offset) for offset in (1, 4, 5)),
    line(2, amount=Decimal("-5.0000")),
    line(3, amount=Decimal("-1.0000")),
]

Change = Callable[[list[dict], list[dict]], None]


def of_events(**changes: Any) -> Change:
    return lambda events, lines: events[0].update(changes)


def of_lines(**changes: Any) -> Change:
    return lambda events, lines: lines[0].update(changes)


def nothing_in(columns: list[str], change: Callable[..., Change]) -> dict[str, Change]:
    return {f"expect_column_values_to_not_be_null({column})": change(**{column: None}) for column in columns}


PLACE = ["topic_id", "partition", "offset"]
EVENTS_BROKEN: dict[str, Change] = {
    "expect_table_row_count_to_equal()": lambda events, lines: (events.pop(), lines.pop(4)),
    **nothing_in([*PLACE, "entity", "version", "operation", "decision", "kind", "status", "occurred_on"], of_events),
    "expect_column_values_to_be_null(workspace_id_wrong)": of_events(workspace_id="home"),
    "expect_column_values_to_be_null(entity_id_wrong)": of_events(entity_id=None),
    "expect_column_values_to_be_null(event_id_wrong)": of_events(event_id=ID.upper().replace("7", "A")),
    "expect_column_values_to_be_null(account_id_wrong)": of_events(account_id="mine"),
    "expect_column_values_to_be_null(currency_wrong)": of_events(currency="eur"),
    "expect_column_values_to_be_null(amount_wrong)": of_events(kind="income"),
    "expect_column_values_to_be_null(lines_total_wrong)": of_lines(amount=Decimal("2.0001")),
    "expect_column_values_to_be_null(decision_wrong)": lambda events, lines: events[4].update(decision="stale"),
    "expect_column_values_to_be_between(version)": of_events(version=0),
    "expect_column_values_to_be_in_set(decision)": of_events(decision="refused"),
    "expect_column_values_to_be_in_set(operation)": of_events(operation="forgotten"),
    "expect_column_values_to_be_in_set(kind)": of_events(kind="gift"),
    "expect_column_values_to_be_in_set(status)": of_events(status="lost"),
    "expect_compound_columns_to_be_unique(topic_id, partition, offset)": of_events(offset=1),
}
LINES_BROKEN: dict[str, Change] = {
    **nothing_in([*PLACE, "line_no", "currency"], of_lines),
    "expect_column_values_to_be_null(line_id_wrong)": of_lines(line_id="first"),
    "expect_column_values_to_be_null(amount_wrong)": of_lines(amount=None),
    "expect_column_values_to_be_between(line_no)": of_lines(line_no=0),
    "expect_compound_columns_to_be_unique(topic_id, partition, offset, line_no)": of_lines(line_no=2),
}
BROKEN = {
    **{f"transaction_events: {name}": change for name, change in EVENTS_BROKEN.items()},
    **{f"transaction_lines: {name}": change for name, change in LINES_BROKEN.items()},
}


def test_a_good_batch_passes(tmp_path):
    assert audited(tmp_path, GOOD, LINES) == []


@pytest.mark.parametrize("expectation", BROKEN)
def test_each_expectation_sees_what_is_wrong_and_shows_it(tmp_path, expectation):
    events, lines = ([row.copy() for row in rows] for rows in (GOOD, LINES))
    BROKEN[expectation](events, lines)
    failures = audited(tmp_path, events, lines, rows_read=len(GOOD))
    assert any(failure.startswith(f"{expectation}: ") for failure in failures), failures


def test_every_expectation_of_the_suites_is_broken_by_a_case(tmp_path):
    audited(tmp_path, GOOD, LINES)
    batch = Staged("", "transaction", [1], len(GOOD), len(GOOD), 0, None)
    told = {f"{found.suite}: {each['expectation']}" for found in audit(str(tmp_path), batch) for each in found.figures}
    assert told - BROKEN.keys() == {"transaction_events: expect_column_values_to_not_be_null(ingest_date)"}, (
        "the name of a folder, which Spark always gives"
    )
    assert BROKEN.keys() <= told


def test_what_is_wrong_is_shown(tmp_path):
    events = [event(0, amount=Decimal("-5.0000"), account_id="mine"), event(1, currency=None)]
    failures = "\n".join(audited(tmp_path, events, [line(0, amount=Decimal("-5.0000"))]))
    for said in ("amount_wrong): 1 of 2, such as -5.0000", "account_id_wrong): 1 of 2, such as mine"):
        assert said in failures
    assert "lines_total_wrong): 1 of 2, such as nothing" in failures
    assert "currency_wrong): 1 of 2, such as nothing" in failures


def test_the_rule_tells_things_of_one_id_apart_by_their_kind(tmp_path):
    """A workspace and an account may have the same id: each has a first version."""
    seen = [("workspace", "events"), ("account", "events"), ("budget", "quarantine"), ("budget", "events")]
    for offset, (entity, part) in enumerate(seen):
        row = {key: value for key, value in event(offset).items() if key not in ("kind", "status", "amount")}
        row |= {"entity_id": ID, "entity": entity} if part == "events" else {"row": json.dumps({"entity": entity})}
        row |= {"entity_id": ID}
        written(tmp_path, part, [row], str(offset))
    batch = Staged("", "user", [1], rows_read=4, events=3, rows_quarantined=1, passed=None)
    frame = event_frame(str(tmp_path), batch)
    undue = dict(zip(frame["entity"], frame["decision_wrong"].astype(object), strict=True))
    assert undue["budget"] == "accepted", "its first version was seen, and is in quarantine"
    assert undue["workspace"] != undue["workspace"]  # null
    assert undue["account"] != undue["account"]
