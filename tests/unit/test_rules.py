"""Each rule refuses what it names, with one clear line, and lets good transactions through."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ingestion import events, rules

RECORDED = datetime(2026, 5, 1, 12, tzinfo=UTC)
LINE = events.line(Decimal("4.50"), line_id=UUID(int=7))
GOOD = dict(
    workspace_id=UUID(int=1),
    transaction_id=UUID(int=2),
    account_id=UUID(int=3),
    kind="expense",
    occurred_on=date(2026, 5, 1),
    amount=Decimal("4.50"),
    currency="EUR",
    source="app",
    recorded_at=RECORDED,
)


def broken(**changes) -> dict[str, str]:
    found = rules.problems(events.transaction(**{**GOOD, **changes}), {"EUR", "CAD"})
    return {problem.rule: problem.message for problem in found}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"amount": Decimal(0)},
        {"kind": "refund", "amount": Decimal("-4.50")},
        {"kind": "income", "amount": Decimal("-2500")},
        {"kind": "transfer", "amount": Decimal("-1")},
        {"kind": "transfer", "amount": Decimal("1")},
        {"lines": [LINE]},
        {"occurred_on": date(1900, 1, 1)},
        {"occurred_on": RECORDED.date() + rules.LATEST},
        {"mcc": "5411", "category_confidence": 1.0, "tags": ["holiday", "Rome"], "note": "x" * 2000},
        {"operation": "voided", "version": 2},
    ],
)
def test_a_good_transaction_breaks_no_rule(changes):
    assert broken(**changes) == {}


@pytest.mark.parametrize(
    ("rule", "changes", "message"),
    [
        ("workspace_given", {"workspace_id": None}, "expected a workspace, got none"),
        ("workspace_given", {"workspace_id": events.NIL}, "expected a workspace, got none"),
        ("version_positive", {"version": 0}, "expected a version from 1, got 0"),
        ("operation_known", {"operation": "unknown"}, "expected recorded, amended, voided or restored"),
        ("kind_known", {"kind": "unknown"}, "expected expense, refund, income or transfer"),
        ("status_known", {"status": "unknown"}, "expected pending or posted"),
        (
            "sign_matches_kind",
            {"amount": Decimal("-4.50")},
            "expense takes money out: expected an amount of 0 or more, got -4.50",
        ),
        (
            "sign_matches_kind",
            {"kind": "refund"},
            "refund brings money in: expected an amount of 0 or less, got 4.50",
        ),
        ("currency_known", {"currency": "EURO"}, "expected an ISO 4217 currency code such as EUR, got 'EURO'"),
        ("lines_sum", {"lines": [{**LINE, "amount": Decimal("4.49")}]}, "the lines sum to 4.49, the amount is 4.50"),
        (
            "lines_few",
            {
                "amount": Decimal(201),
                "lines": [{**LINE, "line_id": UUID(int=n), "amount": Decimal(1)} for n in range(201)],
            },
            "expected at most 200 lines, got 201",
        ),
        (
            "line_ids_unique",
            {"amount": Decimal(9), "lines": [LINE, LINE]},
            "expected a line_id of its own for each line",
        ),
        ("date_plausible", {"occurred_on": date(1899, 12, 31)}, "expected a date from 1900-01-01, got 1899-12-31"),
        (
            "date_plausible",
            {"occurred_on": date(2206, 5, 1)},
            "expected a date at most 366 days after it was recorded (2026-05-01), got 2206-05-01",
        ),
        (
            "posted_date_plausible",
            {"posted_on": RECORDED.date() + rules.LATEST + timedelta(days=1)},
            "expected a date at most 366 days after it was recorded (2026-05-01), got 2027-05-03",
        ),
        ("merchant_short", {"merchant": "x" * 201}, "expected at most 200 characters, got 201"),
        ("description_short", {"description": "x" * 501}, "expected at most 500 characters, got 501"),
        ("note_short", {"note": "x" * 2001}, "expected at most 2000 characters, got 2001"),
        ("external_id_short", {"external_id": "x" * 51}, "expected at most 50 characters, got 51"),
        ("tags_valid", {"tags": [""]}, "expected tags of 1 to 50 characters, got one of 0"),
        ("tags_valid", {"tags": ["a", "a"]}, "expected each tag once"),
        ("tags_valid", {"tags": [str(n) for n in range(21)]}, "expected at most 20 tags, got 21"),
        ("mcc_valid", {"mcc": "541"}, "expected 4 digits, got '541'"),
        ("confidence_valid", {"category_confidence": float("nan")}, "expected a number from 0 to 1, got nan"),
    ],
)
def test_what_breaks_a_rule_is_told_in_one_line(rule, changes, message):
    assert broken(**changes) == {rule: message}


def test_all_problems_are_told_at_once():
    assert set(broken(amount=Decimal(-1), currency="X", mcc="?")) == {
        "sign_matches_kind",
        "currency_known",
        "mcc_valid",
    }


def test_the_day_it_was_recorded_is_counted_in_utc():
    evening_in_new_york = datetime.fromisoformat("2026-05-01T23:00:00-04:00")
    assert broken(recorded_at=evening_in_new_york, occurred_on=date(2026, 5, 2) + rules.LATEST) == {}


def test_the_names_are_stable():
    assert rules.NAMES == (
        "currency_known",
        "workspace_given",
        "version_positive",
        "operation_known",
        "kind_known",
        "status_known",
        "sign_matches_kind",
        "lines_sum",
        "lines_few",
        "line_ids_unique",
        "date_plausible",
        "posted_date_plausible",
        "merchant_short",
        "description_short",
        "counterparty_short",
        "note_short",
        "external_id_short",
        "category_id_short",
        "decided_by_short",
        "tags_valid",
        "mcc_valid",
        "confidence_valid",
    )
