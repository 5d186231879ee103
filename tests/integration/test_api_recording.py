"""Recording over the API: many together, under ids of the caller's own, and only what names things that are there."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from ingestion import events
from outlay.api import process
from outlay.ledger.workspaces import ensure_account, ensure_workspace
from tests.api import Household, household

pytestmark = [pytest.mark.integration, pytest.mark.small]


LONG = [{"amount": "0.00", "note": "€" * 2_000}] * 199 + [{"amount": "12.50"}]


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


def bulk(house: Household, drafts: list[dict], **headers: str):
    return house.client.post("/expenses/bulk", json={"expenses": drafts}, headers=headers)


def told(answer) -> tuple[int, ...]:
    assert answer.status_code == 200, answer.text
    return tuple(answer.json()[name] for name in ("inserted", "already_there", "pending", "refused"))


def outcomes(answer) -> list[str]:
    return [each["outcome"] for each in answer.json()["outcomes"]]


def ids(answer) -> list[str]:
    return [each["transaction_id"] for each in answer.json()["outcomes"]]


def listed(house: Household, tag: str) -> dict[str, str]:
    """transaction_id -> amount of what has the tag."""
    found = house.client.get("/expenses", params={"tag": tag, "limit": 500}).json()["expenses"]
    return {expense["transaction_id"]: expense["amount"] for expense in found}


def test_of_many_those_that_are_there_already_are_told_from_the_new_ones(house):
    tag = uuid4().hex
    drafts = [house.draft(external_id=f"{tag} {n}", amount=f"{n}.00", tags=[tag]) for n in range(1, 6)]
    first = bulk(house, drafts[:3])
    assert told(first) == (3, 0, 0, 0)
    again = bulk(house, [drafts[3], *drafts[:3], drafts[4]], **{"Idempotency-Key": str(uuid4())})
    assert told(again) == (2, 3, 0, 0)
    assert outcomes(again) == ["inserted", *["already_there"] * 3, "inserted"]
    assert ids(again)[1:4] == ids(first)
    made = {**dict(zip(ids(first), range(1, 4), strict=True)), ids(again)[0]: 4, ids(again)[4]: 5}
    assert listed(house, tag) == {transaction_id: f"{n}.0000" for transaction_id, n in made.items()}


def test_five_hundred_together_under_one_key_are_recorded_once_however_often_they_are_sent(house):
    tag, key = uuid4().hex, str(uuid4())
    drafts = [house.draft(tags=[tag], amount=f"{n}.01") for n in range(500)]
    first = bulk(house, drafts, **{"Idempotency-Key": key})
    assert told(first) == (500, 0, 0, 0)
    again = bulk(house, drafts, **{"Idempotency-Key": key})
    assert (told(again), ids(again)) == ((0, 500, 0, 0), ids(first))
    amounts = dict(zip(ids(first), (f"{n}.0100" for n in range(500)), strict=True))
    assert listed(house, tag) == amounts


def test_the_same_many_sent_at_the_same_moment_are_inserted_by_one_of_the_requests_each(house):
    tag, key = uuid4().hex, str(uuid4())
    drafts = [house.draft(tags=[tag]) for _ in range(50)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bulk(house, drafts, **{"Idempotency-Key": key}), range(4)))
    assert {tuple(ids(answer)) for answer in answers} == {tuple(ids(answers[0]))}
    assert sum(told(answer)[0] for answer in answers) == 50
    assert len(listed(house, tag)) == 50


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"amount": 3}, "expenses.1.amount", "as a string"),
        ({"amount": "3.001"}, "expenses.1.amount", "2 decimals"),
        ({"lines": [{"amount": "3.001"}, {"amount": "9.499"}]}, "expenses.1.lines.0.amount", "2 decimals"),
        ({"currency": "XXQ"}, "expenses.1.currency", "ISO 4217"),
        (
            {"lines": [{"amount": "0.00", "note": "€" * 2000}] * 199 + [{"amount": "12.50"}]},
            "expenses.1.event_id",
            "at most",
        ),
        ({"amount": "-3.00"}, "expenses.1.amount", "0 or more"),
        ({"tags": ["x" * 51]}, "expenses.1.tags", "of 1 to 50 characters"),
        ({"colour": "red"}, "expenses.1.colour", "not permitted"),
        ({"account_id": str(uuid4())}, "expenses.1.account_id", "an open account of the workspace"),
        ({"category_id": "no.such"}, "expenses.1.category_id", "a category of the workspace"),
    ],
)
def test_where_one_of_many_is_wrong_none_is_recorded_and_it_is_named(house, wrong, field, says):
    tag = uuid4().hex
    answer = bulk(house, [house.draft(tags=[tag]), house.draft(**{"tags": [tag]} | wrong), house.draft(tags=[tag])])
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert {error["field"].split(".")[1] for error in answer.json()["errors"]} == {"1"}
    assert says in answer.json()["detail"]
    assert listed(house, tag) == {}


def test_every_one_that_is_wrong_is_named(house):
    answer = bulk(house, [house.draft(amount="-1.00"), house.draft(), house.draft(note="nul \0")])
    assert [error["field"] for error in answer.json()["errors"]] == ["expenses.0.amount", "expenses.2.note"]


@pytest.mark.parametrize("count", [0, 501])
def test_none_and_more_than_five_hundred_are_refused(house, count):
    answer = bulk(house, [house.draft()] * count)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "expenses")


def test_the_same_id_twice_in_one_request_is_refused_and_both_are_named(house):
    tag, key = uuid4().hex, str(uuid4())
    twice = [house.draft(tags=[tag], external_id=tag), house.draft(tags=[tag]), house.draft(external_id=tag)]
    answer = bulk(house, twice)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "expenses.2.external_id")
    assert f"got {tag} at expenses.0.external_id too" in answer.json()["detail"]
    answer = bulk(house, [house.draft(event_id=key), house.draft(event_id=key)])
    assert answer.json()["errors"][0]["field"] == "expenses.1.event_id"
    assert listed(house, tag) == {}


def test_an_id_of_something_else_is_refused_alone_and_the_others_are_recorded(house):
    tag = uuid4().hex
    there = house.record(house.draft(external_id=tag))["transaction_id"]
    event_id = str(uuid4())
    house.record(house.draft(event_id=event_id))
    answer = bulk(
        house, [house.draft(tags=[tag]), house.draft(external_id=tag), house.draft(event_id=event_id, tags=[tag])]
    )
    assert told(answer) == (1, 0, 0, 2)
    assert outcomes(answer) == ["inserted", "refused", "refused"]
    said = [each["detail"] for each in answer.json()["outcomes"]]
    assert f"'{tag}' is the external_id of the transaction {there} already" in said[1]
    assert "was used before, with another content" in said[2]
    assert list(listed(house, tag)) == [ids(answer)[0]]


def test_an_own_id_sent_again_is_the_same_expense_and_with_another_content_a_conflict(house):
    draft = house.draft(external_id=f"till {uuid4()}")
    first = house.record(draft)
    assert house.record(draft) == first
    assert house.record(draft, **{"Idempotency-Key": str(uuid4())}) == first, "its own id says which it is"
    for other in (draft | {"amount": "99.00"}, draft | {"event_id": str(uuid4())}):
        answer = house.client.post("/expenses", json=other)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "external_id")
        assert first["transaction_id"] in answer.json()["detail"]
    expense = house.read(first["transaction_id"])
    assert (expense["version"], expense["amount"], expense["external_id"]) == (1, "12.5000", draft["external_id"])
    assert house.do("void", first["transaction_id"], 1).status_code == 200
    taken = house.client.post("/expenses", json=draft | {"amount": "1.00"})
    assert taken.status_code == 409, "void ones keep theirs"


def test_of_many_that_claim_one_id_at_the_same_moment_exactly_one_has_it(house):
    mine = f"till {uuid4()}"
    drafts = [house.draft(external_id=mine, amount=f"{n}.00") for n in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda draft: house.client.post("/expenses", json=draft), drafts))
    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [201] + [409] * 7
    won = codes.index(201)
    found = house.client.get("/expenses", params={"external_id": mine}).json()["expenses"]
    assert [expense["amount"] for expense in found] == [f"{won + 1}.0000"]


def test_the_same_own_id_in_another_workspace_is_another_expense(house):
    other = ensure_workspace(process.ledger(), name=f"Other {uuid4()}", currency="EUR")
    card = ensure_account(process.ledger(), other, name="Card", currency="EUR", type="card")
    draft = house.draft(external_id=f"till {uuid4()}")
    first = house.record(draft)
    there = {"X-Outlay-Workspace": str(other.workspace_id)}
    second = house.record(draft | {"account_id": str(card.account_id)}, **there)
    assert second["transaction_id"] != first["transaction_id"]


def test_what_an_expense_names_has_to_be_there(house):
    bought = house.record(house.draft(amount="20.00"))["transaction_id"]
    elsewhere = ensure_workspace(process.ledger(), name=f"Elsewhere {uuid4()}", currency="EUR")
    theirs = ensure_account(process.ledger(), elsewhere, name="Card", currency="EUR", type="card")
    back = {"kind": "refund", "amount": "-5.00"}
    lines = [{"amount": "10.00"}, {"amount": "2.50", "category_id": "no.such"}]
    wrong = {
        "account_id": [{"account_id": str(theirs.account_id)}, {"account_id": str(UUID(int=1))}],
        "category_id": [{"category_id": "no.such"}],
        "lines.1.category_id": [{"lines": lines}],
        "refund_of": [back | {"refund_of": str(uuid4())}, {"refund_of": bought}],
        "transfer_pair": [{"transfer_pair": bought}, {"kind": "transfer", "transfer_pair": bought}],
    }
    for field, drafts in wrong.items():
        for draft in drafts:
            answer = house.client.post("/expenses", json=house.draft(**draft))
            assert answer.status_code == 422, (field, answer.text)
            assert [error["field"] for error in answer.json()["errors"]] == [field], answer.text
    for changes in ({"account_id": str(theirs.account_id)}, {"category_id": "no.such"}, {"refund_of": bought}):
        assert house.amend(bought, 1, **changes).status_code == 422, changes
    assert house.read(bought)["version"] == 1


def test_a_refund_names_its_purchase_and_halves_of_a_transfer_name_each_other(house):
    bought = house.record(house.draft(amount="20.00"))["transaction_id"]
    back = house.draft(kind="refund", amount="-5.00", refund_of=bought, posted_on="2026-03-16", mcc="5411")
    refund = house.read(house.record(back)["transaction_id"])
    assert {name: refund[name] for name in ("refund_of", "posted_on", "mcc", "kind")} == {
        "refund_of": bought,
        "posted_on": "2026-03-16",
        "mcc": "5411",
        "kind": "refund",
    }
    assert house.amend(refund["transaction_id"], 1, refund_of=refund["transaction_id"]).status_code == 422
    assert house.amend(refund["transaction_id"], 1, kind="income").status_code == 200
    assert house.read(refund["transaction_id"])["refund_of"] is None, "it is no refund any more"
    again = house.amend(refund["transaction_id"], 2, kind="refund", refund_of=bought)
    assert again.status_code == 200
    assert house.amend(refund["transaction_id"], 3, refund_of=None).status_code == 200
    assert house.read(refund["transaction_id"])["refund_of"] is None
    out = house.record(house.draft(kind="transfer", amount="70.00"))["transaction_id"]
    arrived = house.record(house.draft(kind="transfer", amount="-70.00", transfer_pair=out))["transaction_id"]
    assert house.amend(out, 1, transfer_pair=arrived).status_code == 200
    assert (house.read(out)["transfer_pair"], house.read(arrived)["transfer_pair"]) == (arrived, out)


def test_a_retry_is_answered_also_after_what_it_names_has_gone(house):
    ledger, home = process.ledger(), house.workspace
    gone = ensure_account(ledger, home, name="Short-lived", currency="EUR")
    draft = house.draft(account_id=str(gone.account_id), external_id=f"till {uuid4()}")
    first = house.record(draft)
    state = {"name": gone.name, "type": gone.type, "currency": "EUR", "institution": None, "owner_id": None}
    ended = events.entity(
        **{"entity": "account", "entity_id": gone.account_id, "state": state, "version": 2, "operation": "deleted"},
        workspace_id=home.workspace_id,
        source="app",
    )
    assert ledger.append("user", ended, wait=30).decision == "accepted"
    assert house.record(draft) == first
    late = house.client.post("/expenses", json=house.draft(account_id=str(gone.account_id)))
    assert (late.status_code, late.json()["errors"][0]["field"]) == (422, "account_id")


def test_an_own_id_that_came_some_other_way_is_taken_too(house):
    mine = f"till {uuid4()}"
    before = events.transaction(
        transaction_id=uuid4(),
        account_id=house.account.account_id,
        kind="expense",
        occurred_on=date(2026, 3, 5),
        amount=Decimal("8.00"),
        currency="EUR",
        external_id=mine,
        workspace_id=house.workspace.workspace_id,
        source="feed",
    )
    held = process.ledger().append("transaction", before, wait=30).entity_id
    late = house.client.post("/expenses", json=house.draft(external_id=mine))
    assert (late.status_code, str(held) in late.json()["detail"]) == (409, True)
    answer = bulk(house, [house.draft(), house.draft(external_id=mine)])
    assert outcomes(answer) == ["inserted", "refused"]
    found = house.client.get("/expenses", params={"external_id": mine}).json()["expenses"]
    assert [expense["amount"] for expense in found] == ["8.0000"]
