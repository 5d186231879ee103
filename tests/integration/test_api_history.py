"""What changed: a copy kept by its cursor misses nothing, a history says who did what, any version comes back."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from ingestion.events import owner_of
from outlay.api import process
from outlay.ledger.workspaces import ensure_account, ensure_workspace
from tests.api import Household, household

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture
def house(stack):
    """New for each test: a copy of it starts empty."""
    with household(stack) as house:
        yield house


class Copy:
    """What a program keeps: the newest version of each transaction that it was told of."""

    def __init__(self, house: Household, limit: int = 500):
        self._client, self._limit = house.client, limit
        self.cursor: str | None = None
        self.expenses: dict[str, dict] = {}
        self.told: list[str] = []

    def page(self) -> bool:
        asked = {"limit": self._limit} | ({"cursor": self.cursor} if self.cursor else {})
        answer = self._client.get("/expenses/changes", params=asked)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        self.cursor = found["cursor"]
        for expense in found["expenses"]:
            self.told.append(expense["transaction_id"])
            self.expenses[expense["transaction_id"]] = expense
        return found["more"]

    def catch_up(self) -> list[str]:
        """The ids it was told of, in their order."""
        self.told = []
        while self.page():
            pass
        return self.told


def as_listed(house: Household) -> dict[str, dict]:
    found = house.client.get("/expenses", params={"status": "any", "limit": 500}).json()["expenses"]
    return {expense["transaction_id"]: house.read(expense["transaction_id"]) for expense in found}


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_a_copy_holds_what_the_workspace_holds_and_then_hears_of_changes_alone(house, limit):
    parts = {"lines": [{"amount": "10.00", "category_id": "travel"}, {"amount": "2.50", "note": "a gift"}]}
    made = [house.record(house.draft(**(parts if number == 2 else {})))["transaction_id"] for number in range(5)]
    copy = Copy(house, limit)
    assert copy.catch_up() == made, "in the order of the log"
    assert copy.expenses == as_listed(house)
    assert copy.catch_up() == []

    house.amend(made[1], 1, note="changed")
    house.do("void", made[3], 1)
    new = house.record()["transaction_id"]
    house.amend(made[1], 2, note="changed again")
    assert set(copy.catch_up()) == {made[1], made[3], new}
    assert copy.expenses == as_listed(house)
    assert (copy.expenses[made[1]]["note"], copy.expenses[made[3]]["operation"]) == ("changed again", "voided")


def test_a_copy_kept_while_others_write_misses_nothing(house):
    def write() -> None:
        for number in range(8):
            drafts = [house.draft(amount=f"{number}.{part:02}") for part in range(20)]
            assert house.client.post("/expenses/bulk", json={"expenses": drafts}).is_success
            house.amend(house.record()["transaction_id"], 1, note="at once")

    copy = Copy(house, 7)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            copy.catch_up()
        writing.result()
    copy.catch_up()
    assert len(copy.expenses) == 8 * 21
    assert copy.expenses == as_listed(house)


def test_what_was_refused_for_its_version_is_no_change(house):
    made = house.record()["transaction_id"]
    copy = Copy(house)
    copy.catch_up()
    assert house.amend(made, 1, note="mine").status_code == 200
    assert house.amend(made, 1, note="late").status_code == 412
    assert copy.catch_up() == [made]
    assert copy.catch_up() == []


def test_a_cursor_shows_nothing_of_another_workspace(house):
    house.record()
    copy = Copy(house)
    other = ensure_workspace(process.ledger(), name=f"Other {uuid4()}", currency="EUR")
    card = ensure_account(process.ledger(), other, name="Card", currency="EUR", type="card")
    there = {"X-Outlay-Workspace": str(other.workspace_id)}
    theirs = house.record(house.draft(account_id=str(card.account_id)), **there)["transaction_id"]
    assert theirs not in copy.catch_up()
    found = house.client.get("/expenses/changes", params={"cursor": copy.cursor}, headers=there).json()
    assert {expense["transaction_id"] for expense in found["expenses"]} <= {theirs}


def written(place: list) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor", ["made up", written([1]), written([["x", 1]]), written([["x", -1, 0]]), written([["x", 1, 2**64]])]
)
def test_a_cursor_that_nobody_gave_out_is_refused(house, cursor):
    answer = house.client.get("/expenses/changes", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


def test_a_cursor_ahead_of_the_log_is_gone_and_says_what_to_do(house):
    house.record()
    copy = Copy(house)
    copy.catch_up()
    [place] = json.loads(base64.urlsafe_b64decode(copy.cursor + "==="))
    for ahead in ([*place[:2], place[2] + 1_000_000], ["another-log", *place[1:]]):
        answer = house.client.get("/expenses/changes", params={"cursor": written([ahead])})
        assert answer.status_code == 410, answer.text
        assert "without a cursor" in answer.json()["detail"]


def history(house: Household, transaction_id: str) -> list[dict]:
    answer = house.client.get(f"/expenses/{transaction_id}/history")
    assert answer.status_code == 200, answer.text
    return answer.json()


def changed(version: dict) -> dict[str, tuple]:
    return {change["field"]: (change["before"], change["after"]) for change in version["changed"]}


def test_a_history_says_who_changed_which_field_when(house):
    draft = house.draft(tags=["lunch"], amount="12.50")
    made = house.record(draft)
    at = made["transaction_id"]
    house.amend(at, 1, amount="10.00", note="with Anna", lines=[{"amount": "4.00", "note": "a"}, {"amount": "6.00"}])
    house.do("void", at, 2)
    house.do("restore", at, 3)
    house.amend(at, 4, tags=[], posted_on="2026-03-15")
    first, second, third, fourth, fifth = history(house, at)
    assert [each["operation"] for each in (first, second, third, fourth, fifth)] == [
        *("recorded", "amended", "voided", "restored", "amended")
    ]
    assert [each["version"] for each in (first, second, third, fourth, fifth)] == [1, 2, 3, 4, 5]
    assert (first["event_id"], first["source"]) == (made["event_id"], "api")
    assert (first["actor_id"], first["actor"]) == (str(owner_of(house.workspace.workspace_id)), "Owner")
    assert changed(first)["amount"] == (None, "12.5000")
    assert changed(first)["tags"] == (None, ["lunch"])
    told = changed(second)
    lines = told.pop("lines")
    assert told == {"amount": ("12.5000", "10.0000"), "note": (None, "with Anna")}
    assert [(line["amount"], line["note"]) for line in lines[1]] == [("4.0000", "a"), ("6.0000", None)]
    assert (changed(third), changed(fourth)) == ({}, {})
    assert changed(fifth) == {"tags": (["lunch"], []), "posted_on": (None, "2026-03-15")}
    times = [each["recorded_at"] for each in (first, second, third, fourth, fifth)]
    assert times == sorted(times)


def test_nobody_has_the_history_of_what_is_not_theirs(house):
    at = house.record()["transaction_id"]
    other = ensure_workspace(process.ledger(), name=f"Other {uuid4()}", currency="EUR")
    there = {"X-Outlay-Workspace": str(other.workspace_id)}
    assert house.client.get(f"/expenses/{at}/history", headers=there).status_code == 404
    assert house.client.get(f"/expenses/{uuid4()}/history").status_code == 404


def without_version(expense: dict) -> dict:
    return {name: value for name, value in expense.items() if name not in ("version", "operation", "recorded_at")}


def test_any_earlier_version_comes_back_whole_and_what_came_between_stays_in_the_history(house):
    lines = [{"amount": "10.00", "category_id": "food.groceries"}, {"amount": "2.50", "note": "a gift"}]
    at = house.record(house.draft(lines=lines, tags=["lunch"], note="with Anna"))["transaction_id"]
    first = house.read(at)
    changes = {"amount": "7.00", "lines": [], "tags": ["x", "y"], "note": None, "category_id": "travel", "mcc": "5411"}
    assert house.amend(at, 1, **changes).status_code == 200
    second = house.read(at)
    assert second["category_source"] == "user"

    assert house.do("restore", at, 2, to_version=1).status_code == 200
    again = house.read(at)
    assert without_version(again) == without_version(first)
    assert (again["version"], again["operation"]) == (3, "amended")
    assert house.do("restore", at, 3, to_version=2).status_code == 200
    assert without_version(house.read(at)) == without_version(second)
    assert [each["version"] for each in history(house, at)] == [1, 2, 3, 4]


def test_a_voided_one_comes_back_as_an_earlier_version_was(house):
    at = house.record(house.draft(amount="5.00"))["transaction_id"]
    house.amend(at, 1, amount="6.00")
    house.do("void", at, 2)
    assert house.do("restore", at, 3, to_version=1).status_code == 200
    expense = house.read(at)
    assert (expense["amount"], expense["operation"], expense["version"]) == ("5.0000", "restored", 4)


def test_a_version_that_there_is_not_and_one_that_differs_in_nothing_are_refused(house):
    at = house.record()["transaction_id"]
    assert house.do("restore", at, 1, to_version=2).status_code == 404
    same = house.do("restore", at, 1, to_version=1)
    assert (same.status_code, same.json()["errors"][0]["field"]) == (422, "version")
    assert house.do("restore", at, 1).status_code == 422, "it is not voided"
    assert house.do("restore", at, 1, to_version=0).status_code == 422
    assert house.do("restore", str(uuid4()), 1, to_version=1).status_code == 404
    assert house.read(at)["version"] == 1
