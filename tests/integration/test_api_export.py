"""A list as a file: it holds what the list holds, each part once, and harms nobody's spreadsheet."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal

import httpx
import pyarrow.parquet as pq
import pytest

from outlay.api import export
from outlay.db import session
from outlay.ledger import exports
from tests.api import Household, household, served
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


@pytest.fixture(scope="module")
def everything(house) -> list[dict]:
    """Seventeen expenses as the API reads them, one of them split, one with what a spreadsheet takes for a formula."""
    parts = [{"amount": "10.00", "category_id": "food.groceries", "note": "x"}, {"amount": "2.50"}]
    drafts = [house.draft(occurred_on=f"2026-03-{day:02}", amount=f"{day}.10") for day in range(1, 15)]
    drafts += [
        house.draft(lines=parts, tags=["lunch", "wo,rk"], note='with "Anna"\nand Bert', posted_on="2026-03-16"),
        house.draft(merchant="=1+2", description="@SUM(A1)", note="-3", counterparty="+49 30", tags=["=x"]),
        house.draft(kind="refund", amount="-5.00", category_id="food.coffee", external_id="till 1"),
    ]
    made = house.client.post("/expenses/bulk", json={"expenses": drafts}).json()
    assert made["inserted"] == 17
    return [house.read(each["transaction_id"]) for each in made["outcomes"]]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Of seven rows: the file is put together of several."""
    monkeypatch.setattr(exports, "_EXPENSES", 3)
    monkeypatch.setattr(exports, "_ROWS", 7)


def as_csv(house: Household, **asked: str) -> list[dict]:
    answer = house.client.get("/expenses/export", params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="expenses.csv"'
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def as_parquet(house: Household, **asked: str) -> list[dict]:
    answer = house.client.get("/expenses/export", params={"format": "parquet", **asked})
    assert answer.status_code == 200, answer.text
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.schema == exports.COLUMNS
    return table.to_pylist()


def parts(expense: dict) -> list[tuple[str, str | None, str | None]]:
    """(amount, category, note) of each."""
    whole = [{"amount": expense["amount"], "category_id": expense["category_id"], "note": None}]
    return [(line["amount"], line["category_id"], line["note"]) for line in expense["lines"] or whole]


def test_parquet_holds_each_part_of_each_expense_with_its_types(house, everything):
    rows = as_parquet(house)
    expected = [
        (expense["transaction_id"], number, Decimal(amount), category, note)
        for expense in everything
        for number, (amount, category, note) in enumerate(parts(expense), start=1)
    ]
    columns = ("transaction_id", "part", "part_amount", "category_id", "part_note")
    assert sorted(tuple(row[name] for name in columns) for row in rows) == sorted(expected)
    by_id = {expense["transaction_id"]: expense for expense in everything}
    for row in rows:
        expense = by_id[row["transaction_id"]]
        same = ("version", "kind", "status", "currency", "merchant", "description", "counterparty", "note", "tags")
        assert {name: row[name] for name in same} == {name: expense[name] for name in same}
        assert (row["amount"], row["void"]) == (Decimal(expense["amount"]), False)
        assert row["occurred_on"] == date.fromisoformat(expense["occurred_on"])
        assert row["recorded_at"] == datetime.fromisoformat(expense["recorded_at"])
        assert (row["account"], row["source"], row["external_id"]) == ("Card", "api", expense["external_id"])
    [category] = {row["category"] for row in rows if row["category_id"] == "food.groceries"}
    assert category == "Food and drink › Groceries"


def test_csv_holds_the_same_and_a_text_that_looks_like_a_formula_is_quoted(house, everything):
    exact, shown = as_parquet(house), as_csv(house)
    assert [row["transaction_id"] for row in shown] == [row["transaction_id"] for row in exact]
    assert [row["part_amount"] for row in shown] == [format(row["part_amount"], "f") for row in exact]
    [split] = [row for row in shown if row["part"] == "2"]
    assert (split["tags"], split["note"], split["posted_on"]) == ("lunch, wo,rk", 'with "Anna"\nand Bert', "2026-03-16")
    [formula] = [row for row in shown if row["merchant"] == "'=1+2"]
    assert [formula[name] for name in ("description", "note", "counterparty", "tags")] == [
        *("'@SUM(A1)", "'-3", "'+49 30", "'=x")
    ]
    [refund] = [row for row in shown if row["kind"] == "refund"]
    assert (refund["amount"], refund["external_id"]) == ("-5.0000", "till 1"), "numbers are left alone"


def test_the_file_has_what_the_filters_leave_in_the_order_asked_for(house, everything):
    asked = {"from": "2026-03-03", "to": "2026-03-12", "sort": "oldest"}
    listed = house.client.get("/expenses", params=asked).json()["expenses"]
    assert [row["transaction_id"] for row in as_csv(house, **asked)] == [each["transaction_id"] for each in listed]
    assert len(listed) == 10
    nothing = {"text": "there is no such thing"}
    assert (as_csv(house, **nothing), as_parquet(house, **nothing)) == ([], [])


def test_what_is_void_is_left_out_unless_it_is_asked_for_and_says_so(house):
    at = house.record(house.draft(external_id="void one"))["transaction_id"]
    house.do("void", at, 1)
    asked = {"external_id": "void one"}
    assert as_csv(house, **asked) == []
    [row] = as_csv(house, status="any", **asked)
    assert row["void"] == "true"


@pytest.mark.parametrize("asked", [{"format": "xls"}, {"cursor": "x"}, {"kind": "gift"}])
def test_a_file_that_makes_no_sense_is_refused_before_it_begins(house, asked):
    answer = house.client.get("/expenses/export", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_one_that_stops_reading_leaves_no_session_and_no_place_behind(house, everything, monkeypatch):
    monkeypatch.setattr(export, "_OF_ONE", 4)
    parts = [{"amount": "0.00", "note": "x" * 2_000}] * 199 + [{"amount": "12.50"}]
    for _ in range(10):  # 40 MB are more than sockets hold
        large = [house.draft(tags=["large"], lines=parts) for _ in range(10)]
        assert house.client.post("/expenses/bulk", json={"expenses": large}).is_success
    reading = "state LIKE 'idle in transaction%' AND query LIKE '%live.transaction_lines AS l%'"

    def open_sessions() -> int:
        with session("owner") as connection:
            return connection.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {reading}").fetchone()[0]  # noqa: S608

    with served(house.client.app) as address, ExitStack() as readers:
        client = readers.enter_context(httpx.Client(headers=dict(house.client.headers), timeout=60))
        address, begun = f"{address}/expenses/export", []
        for _ in range(4):
            answer = readers.enter_context(client.stream("GET", address, params={"tag": "large"}))
            assert answer.status_code == 200
            begun.append(answer.iter_raw(1_000))
            next(begun[-1])
        until(lambda: open_sessions() == 4, what="four files are being made")
        refused = client.get(address)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        readers.pop_all().close()
        until(lambda: open_sessions() == 0, what="their sessions have ended")
    assert as_csv(house, external_id="till 1"), "there is a place again"
