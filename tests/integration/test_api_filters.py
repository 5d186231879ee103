"""Filters of the list: each alone, and any of them together, leave what they say and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import product
from uuid import UUID, uuid4

import pytest

from ingestion import events
from outlay.api import process
from outlay.ledger.workspaces import ensure_account
from tests.api import Household, household

pytestmark = [pytest.mark.integration, pytest.mark.small]

SHOPS = ("Bakery", "Café Müller", "50% off_sale", "Bakery East")
CATEGORIES = ("food.groceries", "housing.rent", "food.coffee", None)
TAGS = ([], ["lunch"], ["lunch", "work"], ["gift"])


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


@pytest.fixture(scope="module")
def accounts(house) -> list[str]:
    second = ensure_account(process.ledger(), house.workspace, name="Giro", currency="USD")
    return [str(house.account.account_id), str(second.account_id)]


@pytest.fixture(scope="module")
def everything(house, accounts) -> list[dict]:
    """Sixty expenses of all sorts, as the API reads each of them, the newest first."""
    chance = random.Random(1)  # noqa: S311
    made = house.client.post("/expenses/bulk", json={"expenses": [_draft(house, accounts, chance) for _ in range(58)]})
    assert made.json()["inserted"] == 58, made.text
    ids = [each["transaction_id"] for each in made.json()["outcomes"]]
    for at in ids[::9]:
        assert house.do("void", at, 1).status_code == 200
    ids += [_imported(house, accounts[0], attached) for attached in (True, False)]
    found = [house.read(at) for at in ids]
    return sorted(found, key=lambda e: (-date.fromisoformat(e["occurred_on"]).toordinal(), e["transaction_id"]))


def _draft(house: Household, accounts: list[str], chance: random.Random) -> dict:
    kind = chance.choice(("expense", "expense", "expense", "refund", "income", "transfer"))
    amount = Decimal(chance.randrange(1, 40)) / 2 * (-1 if kind in ("refund", "income") else 1)
    draft = house.draft(
        account_id=chance.choice(accounts),
        occurred_on=f"2026-03-{chance.randrange(1, 28):02}",
        amount=f"{amount:.2f}",
        currency=chance.choice(("EUR", "USD")),
        kind=kind,
        status=chance.choice(("posted", "pending")),
        merchant=chance.choice(SHOPS),
        tags=chance.choice(TAGS),
        external_id=f"till {uuid4()}",
    )
    if chance.random() < 0.2:
        half = f"{amount / 2:.2f}"
        return draft | {"lines": [{"amount": half, "category_id": "travel"}, {"amount": half}]}
    category = chance.choice(CATEGORIES)
    return draft | ({"category_id": category} if category else {})


def _imported(house: Household, account_id: str, attached: bool) -> str:
    receipt = {"attachment_id": uuid4(), "sha256": "0" * 64, "media_type": "image/png", "name": "receipt.png"}
    event = events.transaction(
        transaction_id=uuid4(),
        account_id=UUID(account_id),
        kind="expense",
        occurred_on=date(2026, 3, 5),
        amount=Decimal("8.00"),
        currency="EUR",
        merchant="Bakery",
        attachments=[receipt] if attached else [],
        workspace_id=house.workspace.workspace_id,
        source="import",
    )
    return str(process.ledger().append("transaction", event, wait=30).entity_id)


Test = Callable[[dict], bool]


def _within(category: str) -> Test:
    def test(expense: dict) -> bool:
        parts = [line["category_id"] for line in expense["lines"]] or [expense["category_id"]]
        if category == "uncategorised":
            return None in parts
        own = [expense["category_id"], *parts]
        return any(f"{each or ''}.".startswith(f"{category}.") for each in own)

    return test


def filters(accounts: list[str], everything: list[dict]) -> dict[str, list[tuple[dict, Test]]]:
    """By parameter: values of it, and what is true of an expense that they leave."""
    own = everything[7]["external_id"]
    return {
        "days": [
            ({"from": "2026-03-10"}, lambda e: e["occurred_on"] >= "2026-03-10"),
            ({"to": "2026-03-10"}, lambda e: e["occurred_on"] <= "2026-03-10"),
            ({"from": "2026-03-08", "to": "2026-03-09"}, lambda e: e["occurred_on"][-2:] in ("08", "09")),
        ],
        "category": [
            *(({"category": name}, _within(name)) for name in ("food", "food.coffee", "travel", "uncategorised")),
            (
                {"category": ["housing", "travel"]},
                lambda e: _within("housing")(e) or _within("travel")(e),
            ),
        ],
        "account": [
            ({"account": accounts[1]}, lambda e: e["account_id"] == accounts[1]),
            ({"account": accounts}, lambda e: True),
            ({"account": str(UUID(int=0))}, lambda e: False),
        ],
        "merchant": [
            ({"merchant": "Bakery"}, lambda e: e["merchant"] == "Bakery"),
            ({"merchant": SHOPS[1:3]}, lambda e: e["merchant"] in SHOPS[1:3]),
        ],
        "kind": [
            ({"kind": "income"}, lambda e: e["kind"] == "income"),
            ({"kind": ["expense", "refund"]}, lambda e: e["kind"] in ("expense", "refund")),
        ],
        "currency": [({"currency": "USD"}, lambda e: e["currency"] == "USD")],
        "amount": [
            ({"min_amount": "8"}, lambda e: Decimal(e["amount"]) >= 8),
            ({"max_amount": "-2.5"}, lambda e: Decimal(e["amount"]) <= Decimal("-2.5")),
            ({"min_amount": "3", "max_amount": "8.00"}, lambda e: 3 <= Decimal(e["amount"]) <= 8),
        ],
        "tag": [
            ({"tag": "lunch"}, lambda e: "lunch" in e["tags"]),
            ({"tag": ["work", "lunch"]}, lambda e: {"work", "lunch"} <= set(e["tags"])),
            ({"tag": "lunc"}, lambda e: False),
        ],
        "source": [({"source": "import"}, lambda e: e["source"] == "import")],
        "attachment": [
            ({"has_attachment": "true"}, lambda e: bool(e["attachments"])),
            ({"has_attachment": "false"}, lambda e: not e["attachments"]),
        ],
        "external_id": [({"external_id": own}, lambda e: e["external_id"] == own)],
        "text": [
            ({"text": "bakery"}, lambda e: "bakery" in words(e)),
            ({"text": "EAST bak"}, lambda e: "east" in words(e) and "bak" in words(e)),
            ({"text": "0% off_"}, lambda e: "0%" in words(e) and "off_" in words(e)),
            ({"text": "work"}, lambda e: "work" in words(e)),
        ],
    }


def words(expense: dict) -> str:
    texts = (expense["merchant"], expense["description"], expense["counterparty"], expense["note"], *expense["tags"])
    return " ".join(text for text in texts if text).lower()


STATUSES: dict[str | None, Test] = {
    None: lambda e: e["operation"] != "voided",
    "any": lambda e: True,
    "void": lambda e: e["operation"] == "voided",
    "pending": lambda e: e["operation"] != "voided" and e["status"] == "pending",
    "posted": lambda e: e["operation"] != "voided" and e["status"] == "posted",
}


def listed(house: Household, asked: dict) -> list[str]:
    """The ids of all pages."""
    found, cursor = [], {}
    while True:
        answer = house.client.get("/expenses", params={"limit": 17, **asked, **cursor})
        assert answer.status_code == 200, answer.text
        found += [expense["transaction_id"] for expense in answer.json()["expenses"]]
        if answer.json()["next"] is None:
            return found
        cursor = {"cursor": answer.json()["next"]}


def left(everything: list[dict], *tests: Test) -> list[str]:
    return [expense["transaction_id"] for expense in everything if all(test(expense) for test in tests)]


def test_each_filter_alone_leaves_what_it_says(house, accounts, everything):
    alone = [case for cases in filters(accounts, everything).values() for case in cases]
    for (asked, test), status in product(alone, STATUSES):
        given = asked | ({"status": status} if status else {})
        assert listed(house, given) == left(everything, test, STATUSES[status]), given
    some = [asked for asked, test in alone if not left(everything, test)]
    assert len(some) == 2, f"the data has something for each of the others: {some}"


def test_any_filters_together_leave_what_all_of_them_say(house, accounts, everything):
    chance = random.Random(2)  # noqa: S311
    by_name, found = filters(accounts, everything), 0
    for _ in range(150):
        chosen = [chance.choice(by_name[name]) for name in chance.sample(sorted(by_name), chance.randrange(2, 5))]
        status = chance.choice(list(STATUSES))
        asked = {name: value for given, _ in chosen for name, value in given.items()}
        asked |= {"status": status} if status else {}
        expected = left(everything, *(test for _, test in chosen), STATUSES[status])
        assert listed(house, asked) == expected, asked
        found += bool(expected)
    assert found > 30


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"min_amount": "lots"}, "min_amount"),
        ({"min_amount": "NaN"}, "min_amount"),
        ({"kind": "gift"}, "kind.0"),
        ({"currency": "euro"}, "currency"),
        ({"text": "nul \0"}, "text"),
        ({"tag": "nul \0"}, "tag.0"),
        ({"source": "hearsay"}, "source"),
        ({"limit": "501"}, "limit"),
        ({"from": "yesterday"}, "from"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_by_its_name(house, asked, field):
    answer = house.client.get("/expenses", params=asked)
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
