"""Changes written as text become what the ledger takes, or one line that says what was expected."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from outlay.api.changes import NotChanges, changes_of


def test_text_becomes_the_fields_own_types_and_no_value_empties_a_field():
    given = [
        "occurred_on=2026-05-02",
        "amount=12.50",
        "tags=a,b",
        "note=",
        'lines=[{"amount": "12.50"}]',
        "merchant=a=b",
    ]
    assert changes_of(given) == {
        "occurred_on": date(2026, 5, 2),
        "amount": Decimal("12.50"),
        "tags": ["a", "b"],
        "note": None,
        "lines": [{"amount": Decimal("12.50")}],
        "merchant": "a=b",
    }
    assert changes_of(["tags=", "lines="]) == {"tags": [], "lines": []}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["note"], "expected FIELD=VALUE such as occurred_on=2026-05-02, got 'note'"),
        (["note=a", "note=b"], "expected each field once, got note again"),
        (["colour=red"], "expected one of account_id, occurred_on,"),
        (["amount=much"], "amount: Input should be a valid decimal, got 'much'"),
        (["amount="], "amount: Value error, expected the amount as a string"),
        (["kind=gift"], "kind: Input should be 'expense'"),
        (["mcc=54a1"], "mcc: String should match pattern"),
        (["lines=4.00"], "lines: Input should be a valid list"),
        (["lines={"], "lines: expected JSON, got '{'"),
        (['lines=[{"amount": "1", "price": 1}]'], "lines.0.price: Extra inputs are not permitted, got 1"),
    ],
)
def test_what_is_no_change_is_told_in_one_line(given, said):
    with pytest.raises(NotChanges) as told:
        changes_of(given)
    assert said in str(told.value)
    assert "\n" not in str(told.value)
