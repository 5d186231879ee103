"""Silver's transforms: what each promises, on a small local Spark."""

import json
import os
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ingestion import events, rules
from ingestion.acceptance import decide
from orchestration import silver
from orchestration.spark import SESSION
from tests.sparks import events_frame, vector_frame
from tests.vectors.load import acceptance

WORKSPACE, ACCOUNT = UUID(int=1), UUID(int=2)
RECORDED = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config(map=SESSION)
        .getOrCreate()
    )
    yield session
    session.stop()  # a later test may want a session of the other kind


def transaction(number: int = 1, **changes):
    given = {
        "workspace_id": WORKSPACE,
        "transaction_id": UUID(int=1000 + number),
        "account_id": ACCOUNT,
        "kind": "expense",
        "occurred_on": date(2026, 1, 3),
        "amount": Decimal("10.0000"),
        "currency": "EUR",
        "source": "app",
        "event_id": UUID(int=2000 + number),
        "recorded_at": RECORDED,
    }
    return events.transaction(**(given | changes))


def line(number: int, amount: str, **changes):
    return events.line(Decimal(amount), line_id=UUID(int=3000 + number), **changes)


def test_every_acceptance_vector_is_decided_as_the_rule_says(spark):
    vectors = acceptance()
    rows = silver.decided(vector_frame(spark, vectors)).orderBy("workspace_id", "offset").collect()
    found = defaultdict(list)
    for row in rows:
        found[row.workspace_id].append(row.decision)
    assert dict(found) == {vector.name: list(vector.decisions) for vector in vectors}
    assert all(list(vector.decisions) == decide(vector.events) for vector in vectors)


LONG = {f"{field}_short": {field: "x" * (limit + 1)} for field, limit in rules.MAX_LENGTH.items()}
BROKEN = {
    "currency_known": {"currency": "ZZZ"},
    "workspace_given": {"workspace_id": None},
    "version_positive": {"version": 0},
    "operation_known": {"operation": "unknown"},
    "kind_known": {"kind": "unknown"},
    "status_known": {"status": "unknown"},
    "sign_matches_kind": {"kind": "refund"},
    "lines_sum": {"lines": [line(1, "4.0000"), line(2, "5.0000")]},
    "lines_few": {"lines": [line(n, "0.0500") for n in range(200)] + [line(200, "0.0000")]},
    "line_ids_unique": {"lines": [line(1, "4.0000"), line(1, "6.0000")]},
    "date_plausible": {"occurred_on": date(1899, 12, 31)},
    "posted_date_plausible": {"posted_on": RECORDED.date() + timedelta(days=367)},
    **LONG,
    "tags_valid": {"tags": ["a", "b", "a"]},
    "mcc_valid": {"mcc": "54a1"},
    "confidence_valid": {"category_confidence": 1.5},
}


def test_each_rule_quarantines_what_the_ledger_would_refuse_with_the_same_words(spark):
    assert set(BROKEN) == set(rules.NAMES)
    bad = [transaction(number, **changes) for number, changes in enumerate(BROKEN.values())]
    bad.append(transaction(800, workspace_id=events.NIL))  # whose categories all workspaces share
    good = [
        transaction(900),
        transaction(901, amount=Decimal("0.0000")),
        transaction(902, kind="refund", amount=Decimal("-10.0000"), lines=[line(1, "-4.0000"), line(2, "-6.0000")]),
        transaction(903, occurred_on=date(1900, 1, 1), posted_on=RECORDED.date() + timedelta(days=366)),
        transaction(904, tags=["ä" * 50], mcc="5411", category_confidence=1.0, note="x" * 2_000),
        transaction(905, kind="transfer", amount=Decimal("-3.0000")),
    ]
    judged = silver.judged(
        "transaction", silver.typed("transaction", events_frame(spark, "transaction", [*bad, *good])), {"EUR"}
    )
    found = defaultdict(list)
    for row in silver.quarantined("transaction", judged).collect():
        found[row.event_id].append((row.rule, row.detail))
    expected = {str(event["event_id"]): [(p.rule, p.message) for p in rules.problems(event, {"EUR"})] for event in bad}
    assert {event_id: sorted(broken) for event_id, broken in found.items()} == {
        event_id: sorted(broken) for event_id, broken in expected.items()
    }
    kept = {row.event_id for row in silver.valid(judged).select("event_id").collect()}
    assert kept == {str(event["event_id"]) for event in good}


def test_a_quarantined_event_is_kept_whole(spark):
    event = transaction(1, currency="ZZZ", note="why", lines=[line(1, "10.0000", note="part")])
    judged = silver.judged(
        "transaction", silver.typed("transaction", events_frame(spark, "transaction", [event])), {"EUR"}
    )
    row = json.loads(silver.quarantined("transaction", judged).first().row)
    assert row["transaction_id"] == str(event["transaction_id"])
    assert row["amount"] == "10.0000"
    assert row["lines"] == [{"line_id": str(UUID(int=3001)), "amount": "10.0000", "note": "part"}]
    assert row["recorded_at"] == "2026-01-05T12:00:00.000000Z"


def test_a_release_lets_its_event_break_its_rules_and_no_other(spark):
    late = {"occurred_on": date(2199, 1, 1)}
    log = [transaction(1, **late), transaction(2, **late, currency="ZZZ"), transaction(3, **late), transaction(4)]
    released = [("log", 0, offset, ["date_plausible"]) for offset in (0, 1)]
    releases = spark.createDataFrame(released, "topic_id string, partition int, offset bigint, rules array<string>")
    typed = silver.typed("transaction", events_frame(spark, "transaction", log))
    judged = silver.judged("transaction", typed, {"EUR"}, releases)
    set_aside = [(row.offset, row.rule) for row in silver.quarantined("transaction", judged).collect()]
    assert sorted(set_aside) == [(1, "currency_known"), (2, "date_plausible")]
    kept = silver.valid(silver.decided(judged))
    assert sorted(row.offset for row in kept.collect()) == [0, 3]
    assert "rules" not in kept.columns


def test_only_rules_that_no_figure_depends_on_may_be_waived():
    assert set(rules.NAMES) > rules.RELEASABLE
    assert not rules.RELEASABLE & {"currency_known", "workspace_given", "kind_known", "sign_matches_kind", "lines_sum"}


def test_an_event_that_breaks_a_rule_still_counts_for_the_decision_on_later_ones(spark):
    log = [transaction(1, version=2, currency="ZZZ"), transaction(1, event_id=UUID(int=5), version=2)]
    typed = silver.typed("transaction", events_frame(spark, "transaction", log))
    kept = silver.valid(silver.decided(silver.judged("transaction", typed, {"EUR"}))).collect()
    assert [row.decision for row in kept] == ["stale"]


def test_other_topics_keep_their_fields_as_json_with_exact_amounts(spark):
    budget = {
        "name": "Food",
        "category_id": None,
        "member_id": None,
        "period": "monthly",
        "starts_on": date(2026, 1, 1),
        "amount": Decimal("400.1000"),
        "currency": "EUR",
        "rollover": True,
    }
    event = events.entity(
        entity="budget", entity_id=UUID(int=7), state=budget, workspace_id=WORKSPACE, source="app", recorded_at=RECORDED
    )
    row = silver.typed("user", events_frame(spark, "user", [event])).first()
    assert (row.entity, row.entity_id, row.workspace_id) == ("budget", str(UUID(int=7)), str(WORKSPACE))
    state = json.loads(row.state)
    assert state["budget"] | {"starts_on": "2026-01-01", "amount": "400.1000"} == state["budget"]
    assert "account" not in state


def test_an_event_without_lines_gets_one_of_its_own_and_given_lines_keep_their_order(spark):
    log = [
        transaction(1, category_id="food"),
        transaction(2, lines=[line(1, "7.0000", category_id="b"), line(2, "3.0000", category_id="a")]),
    ]
    typed = silver.typed("transaction", events_frame(spark, "transaction", log))
    found = silver.lines(typed).orderBy("offset", "line_no").collect()
    assert [(r.offset, r.line_no, r.line_id, r.category_id, r.amount) for r in found] == [
        (0, 1, str(UUID(int=1001)), "food", Decimal("10.0000")),
        (1, 1, str(UUID(int=3001)), "b", Decimal("7.0000")),
        (1, 2, str(UUID(int=3002)), "a", Decimal("3.0000")),
    ]
