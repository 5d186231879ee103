"""The model by which long runs are judged decides as the vectors say, and its figures are those of a count by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from ingestion import events
from tests.chaos.model import Message, expected
from tests.chaos.run import main, recorded
from tests.vectors.load import Vector, acceptance

WORKSPACE, ACCOUNT = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def purchase(**changes) -> dict:
    given = {
        "workspace_id": WORKSPACE,
        "transaction_id": UUID(int=3),
        "account_id": ACCOUNT,
        "kind": "expense",
        "occurred_on": date(2026, 5, 17),
        "amount": Decimal("4.5000"),
        "currency": "EUR",
        "source": "app",
        "recorded_at": NOW,
    }
    return events.transaction(**(given | changes))


def message(offset: int, event: dict | None, *, storable: bool = True) -> Message:
    value = b"\0\0\0\0\x07avro" if event is not None else b"garbage"
    headers = (("name", b"value"), ("empty", None))
    return Message("transaction", "id", 0, offset, 1_000, b"key", value, headers, event, storable)


@pytest.mark.parametrize("vector", acceptance(), ids=lambda vector: vector.name)
def test_the_model_decides_as_the_vectors_say(vector: Vector):
    log = [
        message(offset, purchase(event_id=sight.event_id, transaction_id=sight.entity_id, version=sight.version))
        for offset, sight in enumerate(vector.events)
    ]
    decided = expected(reversed(log)).live["events"]
    assert [decided["transaction", 0, each.offset]["decision"] for each in log] == list(vector.decisions)


def test_the_model_holds_the_last_accepted_state_its_lines_and_its_totals():
    lines = [
        events.line(Decimal("1.0000"), line_id=UUID(int=5), category_id="food.groceries"),
        events.line(Decimal("3.5000"), line_id=UUID(int=6)),
    ]
    last = purchase(version=3, lines=lines, category_id="food.restaurants", note="last")
    void = purchase(transaction_id=UUID(int=4), operation="voided")
    said = expected(
        [
            message(0, purchase(version=1)),
            message(1, last),
            message(2, purchase(version=2, note="late")),
            message(3, void),
        ]
    ).live
    current = said["transactions"][WORKSPACE, UUID(int=3)]
    assert (current["version"], current["note"], current["offset"]) == (3, "last", 1)
    assert said["transactions"][WORKSPACE, UUID(int=4)]["operation"] == "voided"
    assert said["transaction_lines"] == {(WORKSPACE, UUID(int=3), n): dict(line) for n, line in enumerate(lines, 1)}
    cell = (WORKSPACE, date(2026, 5, 1), ACCOUNT)
    assert said["monthly_totals"] == {
        (*cell, "food.groceries", "EUR", "expense"): {"lines": 1, "amount": Decimal("1.0000")},
        (*cell, "uncategorised", "EUR", "expense"): {"lines": 1, "amount": Decimal("3.5000")},
    }


def test_what_is_no_event_is_a_dead_letter_and_what_postgresql_cannot_store_is_one_in_live_alone():
    unstorable = purchase(version=9)
    said = expected([message(0, None), message(1, unstorable, storable=False), message(2, purchase(version=1))])
    assert said.live["dead_letters"]["transaction", 0, 0] == {
        "topic_id": "id",
        "logged_at": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        "key": b"key",
        "value": b"garbage",
        "headers": [["name", "dmFsdWU="], ["empty", None]],
    }
    assert set(said.live["dead_letters"]) == {("transaction", 0, 0), ("transaction", 0, 1)}
    assert said.live["transactions"][WORKSPACE, UUID(int=3)]["version"] == 1
    assert {place[2]: row["value"] for place, row in said.bronze["unreadable"].items()} == {0: b"garbage"}
    assert {place[2]: row["schema_id"] for place, row in said.bronze["events"].items()} == {1: 7, 2: 7}


def test_the_recorded_seeds_are_numbers_and_each_stands_there_once():
    assert len(recorded()) == len(set(recorded())) >= 10


def test_the_long_run_tells_how_it_is_called(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--recorded" in capsys.readouterr().out
