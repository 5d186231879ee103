"""What a change makes of a transaction's state."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ingestion.enrich import Enricher
from outlay.ledger.drafts import amended, corrected
from outlay.ledger.errors import Refused
from outlay.settings import settings

BY = {"actor_id": UUID(int=9), "source": "app", "event_id": UUID(int=8)}


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher(settings().seeds)


def current(**fields: Any) -> dict[str, Any]:
    given = {
        "workspace_id": UUID(int=1), "transaction_id": UUID(int=2), "account_id": UUID(int=3), "version": 1,
        "operation": "recorded", "kind": "expense", "status": "posted", "occurred_on": date(2026, 5, 1),
        "occurred_at_local": None, "posted_on": None, "amount": Decimal("4.5000"), "currency": "ZZZ",
        "merchant": "Bakery", "description": None, "counterparty": None, "category_id": None,
        "category_source": "import", "category_confidence": None, "decided_by": None, "mcc": "54a1", "note": None,
        "tags": [], "lines": [], "refund_of": None, "transfer_pair": None, "attachments": [], "import_id": None,
        "external_id": None,
    }  # fmt: skip
    return given | fields


def test_a_new_merchant_code_decides_the_category_and_leaves_the_merchant(enricher):
    after = amended(current(), {"mcc": "5411"}, enricher, **BY)
    assert (after["merchant"], after["category_id"], after["category_source"]) == ("Bakery", "food.groceries", "mcc")


def test_a_correction_of_a_voided_transaction_leaves_it_void(enricher):
    voided = current(operation="voided", version=4)
    after = corrected(voided, {"currency": "EUR"}, enricher, **BY)
    assert (after["operation"], after["version"], after["currency"]) == ("voided", 5, "EUR")
    with pytest.raises(Refused, match="restore it before changing it"):
        amended(voided, {"currency": "EUR"}, enricher, **BY)


def test_the_version_after_one_that_is_below_1_is_1(enricher):
    assert corrected(current(version=-7), {"currency": "EUR"}, enricher, **BY)["version"] == 1
