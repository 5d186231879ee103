"""The tree of categories over the API: one's own, everybody's as one changed them, archived, merged, and given back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from ingestion import events
from ingestion.enrich import Enricher
from outlay.api import process
from outlay.db import session
from outlay.ledger import bulk, categories, merging, redecide
from outlay.ledger.queries import choices
from outlay.settings import settings
from tests.api import Household, household
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]

COFFEE = {"description": "STARBUCKS 00123"}  # which the tables put in food.coffee


@pytest.fixture
def house(stack):
    """New for each test: a tree is shared by all that is asked of it."""
    with household(stack) as house:
        yield house


def made(house: Household, name: str, parent_id: str | None = None, **headers: str) -> dict:
    answer = house.client.post("/categories", json={"name": name, "parent_id": parent_id}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def tree(house: Household) -> dict[str, dict]:
    return {each["category_id"]: each for each in house.client.get("/categories").json()}


def asked(house: Household, what: str, category_id: str, version: int, body: Any = None, **query: Any) -> Response:
    method, path = ("PATCH", category_id) if what == "amend" else ("POST", f"{category_id}/{what}")
    headers = {"If-Match": f'"{version}"'}
    return house.client.request(method, f"/categories/{path}", json=body, headers=headers, params=query)


def done(answer: Response) -> dict:
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: Response) -> tuple[int, str, str]:
    [error] = answer.json()["errors"]
    return answer.status_code, error["field"], error.get("rule", "")


def category_of(house: Household, transaction_id: str) -> str | None:
    return house.read(transaction_id)["category_id"]


def test_the_tree_has_parents_before_children_and_their_paths(house):
    seen = {None: ""}
    for category in tree(house).values():
        above = seen[category["parent_id"]]
        seen[category["category_id"]] = category["path"]
        assert category["path"] == (f"{above} › {category['name']}" if above else category["name"])
        assert (category["version"], category["archived"], category["merged_into"]) == (0, False, None)
    assert len(seen) > 60
    assert seen["food.groceries"] == "Food and drink › Groceries"


def test_a_category_of_ones_own_hangs_in_the_tree_and_takes_expenses(house):
    bees = made(house, "Bees", "leisure")
    assert bees == {
        **{"category_id": bees["category_id"], "version": 1, "parent_id": "leisure", "name": "Bees"},
        **{"path": f"{tree(house)['leisure']['name']} › Bees", "archived": False, "merged_into": None},
    }
    read = house.client.get(f"/categories/{bees['category_id']}")
    assert (read.json(), read.headers["etag"]) == (bees, '"1"')
    honey = made(house, "Honey", bees["category_id"])
    assert tree(house)[honey["category_id"]]["path"] == f"{bees['path']} › Honey"
    bought = house.record(house.draft(category_id=honey["category_id"]))["transaction_id"]
    listed = house.client.get("/expenses", params={"category": "leisure"}).json()["expenses"]
    assert [each["transaction_id"] for each in listed] == [bought]


def test_a_category_made_again_under_its_key_is_the_same_one(house):
    key = {"Idempotency-Key": str(uuid4())}
    assert made(house, "Bees", **key) == made(house, "Bees", **key)
    other = house.client.post("/categories", json={"name": "Wasps"}, headers=key)
    assert refused(other) == (422, "event_id", "event_id_unused")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "new\nline"}, "name"),
        ({"name": "GROCERIES", "parent_id": "food"}, "name"),
        ({"parent_id": "no.such"}, "parent_id"),
        ({"kind": "income"}, "kind"),
        ({"category_id": "food"}, "category_id"),
    ],
)
def test_what_makes_no_category_is_refused_with_its_field(house, wrong, field):
    before = tree(house)
    answer = house.client.post("/categories", json={"name": "Bees"} | wrong)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    assert tree(house) == before


def test_everybodys_category_is_renamed_and_moved_by_one_workspace_for_itself(house, stack):
    renamed = asked(house, "amend", "food.coffee", 0, {"name": "Cafés"})
    assert (done(renamed)["path"], renamed.headers["etag"]) == ("Food and drink › Cafés", '"1"')
    late = asked(house, "amend", "food.coffee", 0, {"name": "Mine"})
    assert (late.status_code, late.headers["etag"]) == (412, '"1"')
    assert done(asked(house, "amend", "food.coffee", 1, {"parent_id": "leisure"}))["name"] == "Cafés"
    top = done(asked(house, "amend", "food.coffee", 2, {"parent_id": None}))
    assert (top["path"], top["parent_id"]) == ("Cafés", None)
    again = done(asked(house, "amend", "food.coffee", 3, {"name": "Coffee"}))
    assert (again["path"], again["parent_id"]) == ("Coffee", None), "it stays at the top"
    assert asked(house, "amend", "no.such", 0, {"name": "x"}).status_code == 404
    assert asked(house, "amend", "food", 7, {"name": "x"}).status_code == 412, "it is at 0"
    with household(stack) as other:
        assert tree(other)["food.coffee"]["path"] == "Food and drink › Coffee and bakery"


def test_the_tree_stays_a_tree(house):
    inner = made(house, "Inner", made(house, "Outer")["category_id"])
    outer = inner["parent_id"]
    for parent in (outer, inner["category_id"]):
        assert refused(asked(house, "amend", outer, 1, {"parent_id": parent})) == (422, "parent_id", "no_circle")
    at = None
    for level in range(10):
        at = made(house, f"Level {level}", at)["category_id"]
    deeper = house.client.post("/categories", json={"name": "Deeper", "parent_id": at})
    assert refused(deeper) == (422, "parent_id", "shallow")
    ninth = tree(house)[at]["parent_id"]
    assert refused(asked(house, "amend", outer, 1, {"parent_id": ninth})) == (422, "parent_id", "shallow")


def test_what_archiving_would_touch_is_told(house):
    outer = made(house, "Outer")["category_id"]
    at, ledger = house.workspace.workspace_id, process.ledger()
    limit = {"name": "Fun", "category_id": outer, "member_id": None, "period": "monthly", "amount": Decimal("9.0000")}
    limit |= {"currency": "EUR", "starts_on": date(2026, 1, 1), "rollover": False}
    kept, ended = uuid4(), uuid4()
    for budget_id, operation in ((kept, "created"), (ended, "deleted")):
        given = {"workspace_id": at, "source": "api", "operation": operation}
        budget = events.entity(entity="budget", entity_id=budget_id, state=limit, **given)
        assert ledger.append("user", budget, wait=30).decision == "accepted"
    found = house.client.get(f"/categories/{outer}/uses").json()
    assert found["budgets"] == [{"budget_id": str(kept), "name": "Fun"}]


def test_the_expenses_that_archiving_would_touch_are_counted(house):
    outer = made(house, "Outer")["category_id"]
    inner = made(house, "Inner", outer)["category_id"]
    empty = {"expenses": 0, "first_on": None, "last_on": None, "below": [inner], "budgets": []}
    assert house.client.get(f"/categories/{outer}/uses").json() == empty
    house.record(house.draft(category_id=outer, occurred_on="2026-03-01"))
    parts = [{"amount": "2.50", "category_id": inner}, {"amount": "10.00"}]
    house.record(house.draft(lines=parts, occurred_on="2026-03-09"))
    gone = house.record(house.draft(category_id=inner, occurred_on="2026-04-01"))["transaction_id"]
    assert house.do("void", gone, 1).status_code == 200
    found = empty | {"expenses": 2, "first_on": "2026-03-01", "last_on": "2026-03-09"}
    assert house.client.get(f"/categories/{outer}/uses").json() == found
    assert house.client.get("/categories/no.such/uses").status_code == 404


def test_an_archived_category_keeps_what_it_has_and_takes_nothing_more(house):
    outer = made(house, "Outer")["category_id"]
    inner = made(house, "Inner", outer)["category_id"]
    bought = house.record(house.draft(category_id=inner))["transaction_id"]
    assert done(asked(house, "archive", outer, 1))["archived"]
    assert (tree(house)[inner]["archived"], tree(house)[inner]["path"]) == (True, "Outer › Inner")
    for category_id in (outer, inner):
        late = house.client.post("/expenses", json=house.draft(category_id=category_id))
        assert refused(late) == (422, "category_id", "known")
        below = house.client.post("/categories", json={"name": "x", "parent_id": category_id})
        assert refused(below) == (422, "parent_id", "known")
    assert category_of(house, bought) == inner
    assert house.amend(bought, 1, note="it may be changed", category_id=inner).status_code == 200
    assert refused(asked(house, "archive", outer, 2))[0] == 422, "it is archived already"
    assert refused(asked(house, "amend", outer, 2, {"name": "x"}))[0] == 422
    back = done(asked(house, "restore", outer, 2))
    assert (back["category"]["archived"], back["category"]["version"], back["expenses"]) == (False, 3, 0)
    assert house.record(house.draft(category_id=inner))["decision"] == "accepted"
    assert refused(asked(house, "restore", outer, 3))[0] == 422, "it is in use"


def test_what_the_tables_put_in_an_archived_category_goes_above_it(house):
    assert category_of(house, house.record(house.draft(**COFFEE))["transaction_id"]) == "food.coffee"
    done(asked(house, "archive", "food.coffee", 0))
    bought = house.record(house.draft(**COFFEE))["transaction_id"]
    assert category_of(house, bought) == "food"
    other = house.record(house.draft(category_id="leisure", description="x"))["transaction_id"]
    assert house.amend(other, 1, **COFFEE).status_code == 200
    assert category_of(house, other) == "leisure", "somebody chose it"
    done(asked(house, "archive", "food", 0))
    many = house.client.post("/expenses/bulk", json={"expenses": [house.draft(**COFFEE)]}).json()["outcomes"]
    read = house.read(many[0]["transaction_id"])
    assert (read["category_id"], read["category_source"]) == (None, "unknown")


def test_deciding_again_leaves_what_was_recorded_in_an_archived_category(house):
    house.record(house.draft(**COFFEE))
    done(asked(house, "archive", "food.coffee", 0))
    found = redecide.preview([house.workspace], Enricher(settings().seeds))
    assert (found.looked_at, found.would_change) == (1, 0)


def test_a_merge_moves_expenses_parts_and_what_hangs_below(house):
    bees, bugs = (made(house, name, "leisure")["category_id"] for name in ("Bees", "Bugs"))
    honey = made(house, "Honey", bees)["category_id"]
    whole = house.record(house.draft(category_id=bees))["transaction_id"]
    parts = [{"amount": "2.50", "category_id": bees}, {"amount": "10.00", "category_id": "food", "note": "n"}]
    split = house.record(house.draft(lines=parts))["transaction_id"]
    below = house.record(house.draft(category_id=honey))["transaction_id"]
    other = house.record(house.draft(category_id=bugs))["transaction_id"]

    moved = done(asked(house, "merge", bees, 1, {"into": bugs}))
    assert (moved["expenses"], moved["categories"], moved["set_aside"], moved["changed_since"]) == (2, 1, 0, 0)
    assert (moved["category"]["archived"], moved["category"]["merged_into"]) == (True, bugs)
    assert [category_of(house, each) for each in (whole, below, other)] == [bugs, honey, bugs]
    lines = [(line["amount"], line["category_id"], line["note"]) for line in house.read(split)["lines"]]
    assert lines == [("2.5000", bugs, None), ("10.0000", "food", "n")]
    assert tree(house)[honey]["parent_id"] == bugs
    assert house.read(other)["version"] == 1, "what was there is left alone"
    history = house.client.get(f"/expenses/{whole}/history").json()
    assert [each["changed"] for each in history if each["version"] == 2] == [
        [{"field": "category_id", "before": bees, "after": bugs}]
    ]
    again = done(asked(house, "merge", bees, 2, {"into": bugs}))
    assert (again["expenses"], again["categories"]) == (0, 0), "all has moved"


def test_what_would_be_put_in_a_merged_category_goes_where_it_went(house):
    bees = made(house, "Bees")["category_id"]
    done(asked(house, "merge", "food.coffee", 0, {"into": bees}))
    assert category_of(house, house.record(house.draft(**COFFEE))["transaction_id"]) == bees
    bugs = made(house, "Bugs")["category_id"]
    done(asked(house, "merge", bees, 1, {"into": bugs}))
    assert category_of(house, house.record(house.draft(**COFFEE))["transaction_id"]) == bugs
    done(asked(house, "restore", "food.coffee", 1))
    assert category_of(house, house.record(house.draft(**COFFEE))["transaction_id"]) == "food.coffee"


def test_a_merge_is_taken_back_except_what_somebody_changed_since(house):
    bees, bugs = (made(house, name)["category_id"] for name in ("Bees", "Bugs"))
    honey, wax = (made(house, name, bees)["category_id"] for name in ("Honey", "Wax"))
    parts = [{"amount": "2.50", "category_id": bees}, {"amount": "10.00"}]
    whole, split, changed = (
        house.record(given)["transaction_id"]
        for given in (house.draft(category_id=bees), house.draft(lines=parts), house.draft(category_id=bees))
    )
    before = {each: house.read(each) for each in (whole, split)}
    done(asked(house, "merge", bees, 1, {"into": bugs}))
    later = house.record(house.draft(category_id=bugs))["transaction_id"]
    assert house.amend(changed, 2, note="mine").status_code == 200
    done(asked(house, "amend", wax, 2, {"parent_id": None}))

    back = done(asked(house, "restore", bees, 2, with_expenses=True))
    assert (back["expenses"], back["categories"], back["changed_since"]) == (2, 1, 1)
    assert (back["category"]["archived"], back["category"]["merged_into"]) == (False, None)
    same = ("category_id", "lines", "amount", "note", "category_source")
    for each, was in before.items():
        assert {name: house.read(each)[name] for name in same} == {name: was[name] for name in same}
    assert [category_of(house, each) for each in (changed, later)] == [bugs, bugs]
    found = tree(house)
    assert (found[honey]["parent_id"], found[wax]["parent_id"]) == (bees, None)


def test_a_merge_that_broke_off_goes_on(house, monkeypatch):
    bees, bugs = (made(house, name)["category_id"] for name in ("Bees", "Bugs"))
    honey = made(house, "Honey", bees)["category_id"]
    bought = [house.record(house.draft(category_id=bees))["transaction_id"] for _ in range(3)]

    class Broken(Exception):
        pass

    def broken(*given: Any, **by: Any) -> Iterator[dict]:
        yield next(whole(*given, **by))
        raise Broken

    def broken_at_once(*_: Any, **__: Any) -> Iterator[dict]:
        raise Broken

    whole = merging._moved
    with monkeypatch.context() as patched:
        patched.setattr(merging, "_moved", broken)
        patched.setattr(bulk, "_CHUNK", 1)
        with pytest.raises(Broken):
            asked(house, "merge", bees, 1, {"into": bugs})
    until(lambda: sum(category_of(house, each) == bees for each in bought) == 2, what="one has moved")
    assert tree(house)[honey]["parent_id"] == bugs
    assert done(asked(house, "merge", bees, 2, {"into": bugs}))["expenses"] == 2
    assert {category_of(house, each) for each in bought} == {bugs}

    with monkeypatch.context() as patched:
        patched.setattr(merging, "given_back", broken_at_once)
        with pytest.raises(Broken):
            asked(house, "restore", bees, 3, with_expenses=True)
    assert {category_of(house, each) for each in bought} == {bugs}
    back = done(asked(house, "restore", bees, 4, with_expenses=True))
    assert (back["expenses"], back["categories"], back["changed_since"]) == (3, 0, 0), "one hangs there again"
    assert {category_of(house, each) for each in bought} == {bees}
    assert tree(house)[honey]["parent_id"] == bees
    again = done(asked(house, "restore", bees, 4, with_expenses=True))
    assert (again["expenses"], again["categories"], again["changed_since"]) == (0, 0, 0), "all is back"


def test_a_retry_under_its_key_gets_its_answer_and_moves_nothing_that_was_taken_back(house):
    bees, bugs, wasps = (made(house, name)["category_id"] for name in ("Bees", "Bugs", "Wasps"))
    bought = house.record(house.draft(category_id=bees))["transaction_id"]

    def keyed(into: str) -> Response:
        headers = {"If-Match": '"1"', "Idempotency-Key": "merge"}
        return house.client.post(f"/categories/{bees}/merge", json={"into": into}, headers=headers)

    assert done(keyed(bugs))["expenses"] == 1
    assert done(keyed(bugs))["category"]["version"] == 2
    assert keyed(wasps).status_code == 412, "another one under its key is refused"
    assert category_of(house, bought) == bugs
    done(asked(house, "restore", bees, 2, with_expenses=True))
    assert keyed(bugs).status_code == 409
    assert category_of(house, bought) == bees

    rename = {"If-Match": f'"{tree(house)[bugs]["version"]}"', "Idempotency-Key": "rename"}
    named = [house.client.patch(f"/categories/{bugs}", json={"name": "Wasps!"}, headers=rename) for _ in range(1)]
    made(house, "Bugs")
    named.append(house.client.patch(f"/categories/{bugs}", json={"name": "Wasps!"}, headers=rename))
    assert [done(each)["version"] for each in named] == [2, 2]


def test_what_is_pending_with_its_source_stays_for_its_next_version(house):
    bees, bugs = (made(house, name)["category_id"] for name in ("Bees", "Bugs"))
    given = {"account_id": house.account.account_id, "currency": "EUR", "category_id": bees, "status": "pending"}
    awaited = events.transaction(
        **given,
        transaction_id=uuid4(),
        workspace_id=house.workspace.workspace_id,
        kind="expense",
        occurred_on=date(2026, 3, 14),
        amount=Decimal("1.0000"),
        source="feed",
    )
    assert process.ledger().append("transaction", awaited, wait=30).decision == "accepted"
    own = house.record(house.draft(category_id=bees, status="pending"))["transaction_id"]
    moved = done(asked(house, "merge", bees, 1, {"into": bugs}))
    assert (moved["expenses"], moved["set_aside"]) == (1, 1)
    assert category_of(house, str(awaited["transaction_id"])) == bees
    assert category_of(house, own) == bugs


def test_what_cannot_take_a_categorys_place_is_refused(house):
    bees = made(house, "Bees")["category_id"]
    honey = made(house, "Honey", bees)["category_id"]
    gone = made(house, "Gone")["category_id"]
    done(asked(house, "archive", gone, 1))
    other = made(house, "Other")["category_id"]
    made(house, "honey", other)
    wrong = ((bees, "no_circle"), (honey, "no_circle"), (gone, "known"), ("no.such", "known"))
    for into, rule in (*wrong, ("income", "same_kind"), (other, "once")):
        assert refused(asked(house, "merge", bees, 1, {"into": into})) == (422, "into", rule)
    assert asked(house, "merge", bees, 5, {"into": "food"}).status_code == 412
    assert tree(house)[bees]["version"] == 1
    for needed in ("uncategorised", "transfer", "transfer.own"):
        assert refused(asked(house, "archive", needed, 0))[2] == "unneeded"
        assert refused(asked(house, "merge", needed, 0, {"into": "transfer.savings"}))[2] == "unneeded"
    assert refused(asked(house, "amend", bees, 1, {"parent_id": "income"})) == (422, "parent_id", "same_kind")


def test_what_a_program_writes_into_the_log_does_not_break_the_tree(house):
    """Circles, and two things that name the same category: the tree is read, and everything is in it."""
    ledger, at = process.ledger(), house.workspace.workspace_id
    by = {"by": uuid4(), "source": "api"}
    one, other = uuid4(), uuid4()
    for own, parent in ((one, other), (other, one)):
        categories.add(ledger, at, own, {"name": "Round", "parent_id": str(parent)}, **by)
    for number, entity_id in enumerate(sorted(uuid4() for _ in range(2))):
        given = {"category_id": "food.coffee", "name": f"Number {number}", "parent_id": None}
        categories.add(ledger, at, entity_id, given, **by)
    found = tree(house)
    assert {str(one), str(other)} <= found.keys()
    assert found["food.coffee"]["name"] == "Number 0", "of two that name it, one counts"
    assert done(asked(house, "amend", "food.coffee", 1, {"name": "Renamed"}))["version"] == 2
    assert tree(house)["food.coffee"]["name"] == "Renamed"
    with session("operator", workspace_id=at) as connection:
        assert len(choices.categories(connection)) == len(found)
