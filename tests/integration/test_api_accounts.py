"""Accounts over the API: opened once, changed by one at a time, closed without a loss, and opened again."""

from uuid import uuid4

import pytest

from outlay.api import process
from outlay.ledger.workspaces import ensure_account
from tests.api import Household, household

pytestmark = [pytest.mark.integration, pytest.mark.small]

PURSE = {"name": "Purse", "type": "cash", "currency": "EUR", "institution": None, "owner_id": None}


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


def opened(house: Household, given: dict | None = None, **headers: str) -> dict:
    answer = house.client.post("/accounts", json=given or PURSE | {"name": f"Purse {uuid4()}"}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def asked(house: Household, method: str, path: str, version: int, **changes):
    body = {"json": changes} if method == "PATCH" else {}
    return house.client.request(method, f"/accounts/{path}", headers={"If-Match": f'"{version}"'}, **body)


def test_an_opened_account_is_listed_and_expenses_are_recorded_on_it(house):
    made = opened(house, PURSE)
    assert made == PURSE | {"account_id": made["account_id"], "version": 1, "closed": False}
    read = house.client.get(f"/accounts/{made['account_id']}")
    assert (read.json(), read.headers["etag"]) == (made, '"1"')
    assert made in house.client.get("/accounts").json()
    assert house.record(house.draft(account_id=made["account_id"]))["decision"] == "accepted"
    assert house.client.get(f"/accounts/{uuid4()}").status_code == 404


def test_an_account_opened_again_under_its_key_is_the_same_one(house):
    key, given = {"Idempotency-Key": str(uuid4())}, PURSE | {"name": "Once"}
    assert opened(house, given, **key) == opened(house, given, **key)
    other = house.client.post("/accounts", json=given | {"type": "card"}, headers=key)
    assert (other.status_code, other.json()["errors"][0]["rule"]) == (422, "event_id_unused")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"type": "unknown"}, "type"),
        ({"currency": "XXQ"}, "currency"),
        ({"owner_id": str(uuid4())}, "owner_id"),
        ({"balance": "3.00"}, "balance"),
        ({"name": "nul \0"}, "name"),
    ],
)
def test_what_makes_no_account_is_refused_with_its_field(house, wrong, field):
    before = house.client.get("/accounts").json()
    answer = house.client.post("/accounts", json=PURSE | wrong)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert house.client.get("/accounts").json() == before


def test_a_change_names_the_version_it_is_of_and_keeps_the_other_fields(house):
    owner = house.client.get("/members").json()[0]["user_id"]
    made = opened(house)
    at = made["account_id"]
    assert house.client.patch(f"/accounts/{at}", json={"name": "x"}).status_code == 428
    named = asked(house, "PATCH", at, 1, owner_id=owner, institution="Sparkasse")
    assert named.status_code == 200, named.text
    assert named.json() == made | {"version": 2, "owner_id": owner, "institution": "Sparkasse"}
    late = asked(house, "PATCH", at, 1, name="Mine")
    assert (late.status_code, late.headers["etag"]) == (412, '"2"')
    again = asked(house, "PATCH", at, 2, name="Ours")
    assert (again.json()["name"], again.json()["owner_id"], again.headers["etag"]) == ("Ours", owner, '"3"')
    assert asked(house, "PATCH", at, 3, owner_id=str(uuid4())).status_code == 422
    assert asked(house, "PATCH", str(uuid4()), 1, name="x").status_code == 404


def test_a_closed_account_keeps_what_was_recorded_takes_nothing_more_and_opens_again(house):
    at = opened(house)["account_id"]
    name = house.client.get(f"/accounts/{at}").json()["name"]
    bought = house.record(house.draft(account_id=at, occurred_on="2022-02-02"))["transaction_id"]
    between = {"from": "2022-02", "to": "2022-02", "by": "account"}
    before = house.client.get("/totals", params=between).json()
    assert before[0]["account"] == name

    closed = asked(house, "POST", f"{at}/close", 1)
    assert (closed.status_code, closed.json()["closed"], closed.json()["version"]) == (200, True, 2)
    assert house.client.get("/accounts").json()[-1]["closed"]
    late = house.client.post("/expenses", json=house.draft(account_id=at))
    assert (late.status_code, late.json()["errors"][0]["field"]) == (422, "account_id")
    assert house.client.get("/totals", params=between).json() == before
    assert house.amend(bought, 1, note="it can be changed", account_id=at).status_code == 200
    other = house.record()["transaction_id"]
    assert house.amend(other, 1, account_id=at).status_code == 422, "and not be moved there"
    assert asked(house, "POST", f"{at}/close", 2).status_code == 422, "it is closed already"
    assert asked(house, "PATCH", at, 2, name="x").status_code == 422

    reopened = asked(house, "POST", f"{at}/reopen", 2)
    assert (reopened.json()["closed"], reopened.json()["version"], reopened.json()["name"]) == (False, 3, name)
    assert asked(house, "POST", f"{at}/reopen", 3).status_code == 422, "it is open"
    assert house.record(house.draft(account_id=at))["decision"] == "accepted"


def test_an_account_that_the_command_line_means_by_name_is_opened_again(house):
    ledger = process.ledger()
    card = ensure_account(ledger, house.workspace, name="Savings", currency="EUR", type="savings")
    assert asked(house, "POST", f"{card.account_id}/close", 1).status_code == 200
    assert ensure_account(ledger, house.workspace, name="Savings", currency="EUR", type="savings") == card
    assert house.client.get(f"/accounts/{card.account_id}").json()["closed"] is False


def test_an_account_that_is_called_otherwise_now_is_not_meant_by_its_old_name(house):
    ledger, given = process.ledger(), {"currency": "EUR", "type": "card"}
    first = ensure_account(ledger, house.workspace, name="Visa", **given)
    assert asked(house, "PATCH", str(first.account_id), 1, name="Company card").status_code == 200
    second = ensure_account(ledger, house.workspace, name="Visa", **given)
    assert second.account_id != first.account_id
    assert ensure_account(ledger, house.workspace, name="Visa", **given) == second
    assert house.client.get(f"/accounts/{first.account_id}").json()["name"] == "Company card"
