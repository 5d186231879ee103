"""What a person types into the form becomes signed values, or problems that each name their field."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from outlay.ledger.queries.expenses import Expense
from streamlit_app import entry
from streamlit_app.text import plain

ACCOUNT = UUID(int=1)
GOOD = entry.Entered(
    amount="12.50",
    currency="EUR",
    occurred_on=date(2026, 3, 14),
    kind="expense",
    account_id=ACCOUNT,
    description=" Bakery ",
    category_id=None,
    note="",
    tags=["lunch", "lunch", " "],
)


def test_values_are_trimmed_and_signed_by_the_kind():
    assert entry.values(GOOD) == {
        "amount": Decimal("12.50"),
        "currency": "EUR",
        "occurred_on": date(2026, 3, 14),
        "kind": "expense",
        "account_id": ACCOUNT,
        "description": "Bakery",
        "category_id": None,
        "note": None,
        "tags": ["lunch"],
    }
    assert entry.values(replace(GOOD, kind="refund"))["amount"] == Decimal("-12.50")
    assert entry.values(replace(GOOD, kind="income"))["amount"] == Decimal("-12.50")
    assert entry.values(replace(GOOD, kind="transfer", amount="-12.50"))["amount"] == Decimal("-12.50")


def test_every_problem_is_told_at_once_beside_its_field():
    with pytest.raises(entry.Unusable) as refused:
        entry.values(replace(GOOD, amount="twelve", occurred_on=None, account_id=None, description="  "))
    assert set(refused.value.problems) == {"amount", "occurred_on", "account_id", "description"}
    for amount, says in (("-3", "without a minus"), ("0.00", "The amount is 0")):
        with pytest.raises(entry.Unusable, match=says):
            entry.values(replace(GOOD, amount=amount))


@pytest.mark.parametrize(
    ("kind", "amount"), [("expense", "1234.5"), ("refund", "-3"), ("transfer", "-1000"), ("income", "-0.01")]
)
def test_an_amount_put_back_into_the_form_reads_as_the_same_amount(kind, amount):
    typed = entry.typed(Decimal(amount), kind, "EUR")
    assert entry.values(replace(GOOD, kind=kind, amount=typed))["amount"] == Decimal(amount)


def test_only_what_differs_is_changed():
    before = Expense(
        transaction_id=UUID(int=2),
        version=3,
        operation="amended",
        kind="expense",
        status="posted",
        occurred_on=date(2026, 3, 14),
        posted_on=None,
        amount=Decimal("12.5000"),
        currency="EUR",
        merchant="Bakery",
        description="Bakery",
        counterparty=None,
        account_id=ACCOUNT,
        category_id=None,
        category_source="unknown",
        mcc=None,
        note=None,
        tags=["lunch"],
        refund_of=None,
        transfer_pair=None,
        attachments=[],
        source="app",
        external_id=None,
        recorded_at=datetime(2026, 3, 14, tzinfo=UTC),
        name="Bakery",
    )
    assert entry.changed(before, entry.values(GOOD)) == {}
    assert entry.changed(before, entry.values(replace(GOOD, note="with Anna"))) == {"note": "with Anna"}


def test_words_of_people_are_never_markup():
    assert plain("**B** $x$ :material/bolt: [a](b) <i>") == (r"\*\*B\*\* \$x\$ \:material/bolt\: \[a\]\(b\) \<i\>")
