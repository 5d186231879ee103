"""Which transactions belong together, told from plain records of one workspace."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ingestion.enrich import Enricher
from ingestion.sources import simulator
from outlay.insights.links import Entry, Link, Links, match
from outlay.insights.links.transfers import matches, opposed
from outlay.settings import PROJECT

CHECKING, SAVINGS, CARD = (UUID(int=number) for number in (1, 2, 3))
DAY = date(2026, 5, 11)


def entry(number: int, amount: str, **own: Any) -> Entry:
    given = {"transaction_id": UUID(int=number), "version": 1, "account_id": CHECKING, "posted": True}
    given |= {"kind": "expense" if Decimal(amount) > 0 else "refund", "occurred_on": DAY, "posted_on": None}
    return Entry(**{**given, "amount": Decimal(amount), "currency": "EUR", **own})


def said(*entries: Entry) -> list[tuple[str, int, int]]:
    """What is linked, by the numbers of the transactions."""
    return [(link.what, link.one.transaction_id.int, link.other.transaction_id.int) for link in match(entries).links]


def left(*entries: Entry) -> tuple[int, int, int]:
    found = match(entries)
    return found.transfers_left, found.refunds_left, found.halves_left


OUT = entry(1, "100")
BACK_IN = entry(2, "-100", account_id=SAVINGS)


@pytest.mark.parametrize("kind", ["refund", "income", "transfer"])
def test_opposite_amounts_of_two_accounts_are_a_transfer(kind):
    assert said(replace(BACK_IN, kind=kind), OUT) == [("transfer", 1, 2)]


@pytest.mark.parametrize(
    "changed",
    [
        {"account_id": CHECKING},
        {"currency": "USD"},
        {"amount": Decimal("-100.0100")},
        {"occurred_on": DAY + timedelta(days=5)},
        {"posted_on": DAY - timedelta(days=5)},
        {"posted": False},
        {"category": "spending"},
        {"category": "income", "kind": "income"},
        {"category": "spending", "kind": "transfer", "chosen": True},
        {"split": True},
        {"refund_of": UUID(int=9)},
    ],
    ids=str,
)
def test_a_half_that_does_not_fit_is_left(changed):
    assert said(OUT, replace(BACK_IN, **changed)) == []
    mirrored = replace(BACK_IN, amount=-BACK_IN.amount, kind="expense"), replace(OUT, amount=-OUT.amount, kind="refund")
    assert said(replace(mirrored[0], **changed | {"amount": -changed.get("amount", BACK_IN.amount)}), mirrored[1]) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"occurred_on": DAY - timedelta(days=4)},
        {"occurred_on": DAY - timedelta(days=9), "posted_on": DAY + timedelta(days=4)},
        {"category": "transfer", "chosen": True},
        {"category": "spending", "kind": "transfer"},
        {"merchant": "Max Muster"},
    ],
    ids=str,
)
def test_a_half_that_fits_is_paired(changed):
    assert said(OUT, replace(BACK_IN, **changed)) == [("transfer", 1, 2)]


def test_no_money_is_no_transfer():
    assert said(entry(1, "0"), entry(2, "0", account_id=SAVINGS)) == []


def test_a_half_of_several_transfers_is_left_and_counted():
    third = entry(3, "-100", account_id=CARD)
    assert (said(OUT, BACK_IN, third), left(OUT, BACK_IN, third)) == ([], (3, 0, 0))
    far = replace(third, occurred_on=DAY + timedelta(days=5))
    assert said(OUT, BACK_IN, far) == [("transfer", 1, 2)]


def test_a_purchase_that_is_paid_back_is_no_half():
    paid_back = entry(3, "-20", account_id=CARD, refund_of=OUT.transaction_id)
    assert said(OUT, BACK_IN, paid_back) == []


BOUGHT = entry(1, "100", merchant="Zyxwv")
RETURNED = entry(2, "-100", merchant="Zyxwv", account_id=SAVINGS)


EARLIER = entry(3, "120", merchant="Zyxwv", occurred_on=DAY - timedelta(days=30))


def test_what_comes_from_where_something_was_bought_may_as_well_be_a_refund_unless_the_text_says_transfer():
    assert (said(BOUGHT, RETURNED, EARLIER), left(BOUGHT, RETURNED, EARLIER)) == ([], (2, 0, 0))
    assert said(BOUGHT, replace(RETURNED, says_transfer=True), EARLIER) == [("transfer", 1, 2)]
    assert said(replace(BOUGHT, says_transfer=True), RETURNED, EARLIER) == [("transfer", 1, 2)]
    assert said(BOUGHT, replace(RETURNED, merchant="Somebody"), EARLIER) == [("transfer", 1, 2)]


def test_one_name_on_both_sides_is_a_transfer_every_month():
    month = timedelta(days=30)
    again = [
        replace(each, transaction_id=UUID(int=number), occurred_on=DAY + month)
        for number, each in enumerate((BOUGHT, RETURNED), start=3)
    ]
    assert said(BOUGHT, RETURNED, *again) == [("transfer", 1, 2), ("transfer", 3, 4)]


def test_half_of_a_transfer_is_not_paid_back():
    refund = entry(3, "-40", merchant="Zyxwv", occurred_on=DAY + timedelta(days=9))
    assert said(BOUGHT, BACK_IN, refund) == [("transfer", 1, 2)]
    assert said(BOUGHT, refund) == [("refund", 3, 1)]


def test_of_a_known_shop_it_is_a_refund_on_another_card():
    assert said(replace(BOUGHT, category="spending"), replace(RETURNED, category="spending")) == [("refund", 2, 1)]


def test_a_half_that_is_named_is_mended():
    names = replace(OUT, kind="transfer", transfer_pair=BACK_IN.transaction_id)
    whole = replace(BACK_IN, kind="transfer", transfer_pair=OUT.transaction_id)
    assert said(names, BACK_IN) == [("half", 2, 1)]
    assert said(names, whole) == []
    assert said(names, BACK_IN, entry(3, "100", account_id=CARD)) == [("half", 2, 1)]


@pytest.mark.parametrize(
    "half",
    [
        None,
        replace(BACK_IN, transfer_pair=UUID(int=9)),
        replace(BACK_IN, amount=Decimal(-99)),
        replace(BACK_IN, category="spending"),
        replace(BACK_IN, posted=False),
    ],
    ids=["void", "points elsewhere", "other amount", "of a shop", "pending"],
)
def test_a_half_that_does_not_fit_what_names_it_is_left_and_counted(half):
    names = replace(OUT, kind="transfer", transfer_pair=BACK_IN.transaction_id)
    known = [names, *([half] if half else [])]
    assert (said(*known), left(*known)) == ([], (0, 0, 1 + (half is not None and half.transfer_pair is not None)))


def test_what_another_names_as_its_half_is_nothing_else_meanwhile():
    names = entry(7, "-99", account_id=CARD, kind="transfer", transfer_pair=BOUGHT.transaction_id)
    refund = entry(3, "-40", merchant="Zyxwv", occurred_on=DAY + timedelta(days=9))
    assert (said(names, BOUGHT, BACK_IN, refund), left(names, BOUGHT, BACK_IN, refund)) == ([], (0, 0, 1))


def test_a_half_that_two_name_or_one_that_is_no_transfer_is_left():
    names = replace(OUT, kind="transfer", transfer_pair=BACK_IN.transaction_id)
    second = replace(names, transaction_id=UUID(int=3))
    assert (said(names, second, BACK_IN), left(names, second, BACK_IN)) == ([], (0, 0, 2))
    assert said(replace(names, kind="expense"), BACK_IN) == []
    assert said(replace(names, posted=False), BACK_IN, entry(3, "100", account_id=CARD)) == []


def shop(number: int, amount: str, **own: Any) -> Entry:
    """At a known one, so that nothing is half of a transfer."""
    return entry(number, amount, **{"merchant": "Zara", "category": "spending", **own})


def before(days: int) -> dict[str, date]:
    return {"occurred_on": DAY - timedelta(days=days)}


REFUND = shop(9, "-30")


CASES = {
    "only one fits": ([shop(1, "50", **before(3))], 1),
    "the same day": ([shop(1, "50")], 1),
    "half a year before": ([shop(1, "50", **before(180))], 1),
    "longer before": ([shop(1, "50", **before(181))], None),
    "afterwards": ([shop(1, "50", **before(-1))], None),
    "cheaper": ([shop(1, "29.99", **before(3))], None),
    "another merchant": ([shop(1, "50", merchant="H&M")], None),
    "another currency": ([shop(1, "50", currency="USD")], None),
    "pending": ([shop(1, "50", posted=False)], None),
    "no expense": ([shop(1, "50", kind="transfer")], None),
    "half of a transfer": ([shop(1, "50", transfer_pair=UUID(int=7))], None),
    "the exact one": ([shop(1, "50", **before(3)), shop(2, "30", **before(9))], 2),
    "the exact one of the account": ([shop(1, "30", **before(9)), shop(2, "30", account_id=CARD)], 1),
    "the newest exact one": ([shop(1, "30", **before(9)), shop(2, "30", **before(3))], 2),
    "several": ([shop(1, "50", **before(9)), shop(2, "60", account_id=CARD)], None),
    "paid back already": ([shop(1, "50"), shop(2, "-20.01", refund_of=UUID(int=1))], None),
    "paid back in part": ([shop(1, "50"), shop(2, "-20", refund_of=UUID(int=1))], 1),
    "paid back in part, pending": ([shop(1, "50"), shop(2, "-21", refund_of=UUID(int=1), posted=False)], None),
    "paid back abroad": ([shop(1, "50"), shop(2, "-1", refund_of=UUID(int=1), currency="USD")], None),
    "one of two paid back": ([shop(1, "50"), shop(2, "60"), shop(3, "-50", refund_of=UUID(int=1))], 2),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refund_pays_back(case):
    bought, of = CASES[case]
    assert said(*bought, REFUND) == ([("refund", 9, of)] if of else [])


def test_a_refund_that_fits_several_is_counted():
    assert left(shop(1, "50"), shop(2, "60"), REFUND) == (0, 1, 0)


@pytest.mark.parametrize(
    "changed", [{"merchant": None}, {"posted": False}, {"refund_of": UUID(int=7)}, {"kind": "income"}], ids=str
)
def test_a_refund_that_is_none_or_linked_is_left(changed):
    assert said(shop(1, "50", merchant=changed.get("merchant", "Zara")), replace(REFUND, **changed)) == []


def test_two_refunds_pay_back_no_more_than_was_paid():
    again = replace(REFUND, transaction_id=UUID(int=10), occurred_on=DAY + timedelta(days=1))
    assert said(shop(1, "50"), again, REFUND) == [("refund", 9, 1)]
    assert said(shop(1, "60"), again, REFUND) == [("refund", 9, 1), ("refund", 10, 1)]


def test_the_exact_refund_goes_before_an_older_one_that_only_fits():
    older = replace(REFUND, transaction_id=UUID(int=8), amount=Decimal(-20), **before(1))
    assert said(shop(1, "30", **before(3)), older, REFUND) == [("refund", 9, 1)]


def test_what_has_one_reading_left_after_others_are_linked_is_linked_too():
    """A refund fits two purchases until another pays one of them back."""
    bought = [shop(1, "50", **before(9)), shop(2, "60", **before(9), account_id=CARD)]
    exact = replace(REFUND, transaction_id=UUID(int=10), amount=Decimal(-60), occurred_on=DAY + timedelta(days=1))
    assert said(*bought, REFUND, exact) == [("refund", 9, 1), ("refund", 10, 2)]


@pytest.mark.parametrize(
    ("text", "says"),
    {
        **{"ÜBERWEISUNG Max": True, "Transfer to savings": True, "Umbuchung 12": True, "Card payment": True},
        **{"TRANSFERWISE": False, "CASH CONVERTERS": False, "Zyxwv Bakehouse": False, None: False, "": False},
    }.items(),
)
def test_a_text_says_transfer_by_the_words_of_the_tables(text, says):
    assert Enricher(PROJECT / "seeds").says_transfer(text) is says


def test_of_bank_files_without_categories_all_transfers_are_found_and_nothing_else():
    """A year of the simulator, without what it says of links, kinds and categories."""
    enricher = Enricher(PROJECT / "seeds")
    year = simulator.events(1, date(2025, 11, 1), date(2026, 10, 31), 2, enricher=enricher)
    current = {event["transaction_id"]: event for topic, event in year if topic == "transaction"}
    told: dict[UUID, list[Entry]] = defaultdict(list)
    names = ("transaction_id", "version", "account_id", "occurred_on", "posted_on", "amount", "currency")
    for event in (each for each in current.values() if each["operation"] != "voided"):
        found = enricher.enrich(event["description"])
        kind = "expense" if event["amount"] > 0 else "refund"
        own = {name: event[name] for name in names} | {"kind": kind, "posted": event["status"] == "posted"}
        category = enricher.categories[found.category_id].kind if found.category_id else None
        told[event["workspace_id"]].append(Entry(**own, merchant=found.merchant, category=category))

    links = [link for entries in told.values() for link in match(entries).links]
    pairs = {link.one.transaction_id: link.other.transaction_id for link in links if link.what == "transfer"}
    sent = [event for event in current.values() if event["kind"] == "transfer" and event["amount"] > 0]
    assert pairs == {event["transaction_id"]: event["transfer_pair"] for event in sent}
    paid_back = [(current[link.one.transaction_id], link.other) for link in links if link.what == "refund"]
    assert len(paid_back) > 10
    for refund, purchase in paid_back:
        bought = current[refund["refund_of"]]
        assert (purchase.amount, purchase.merchant) == (bought["amount"], bought["merchant"])  # or one just like it


AMOUNTS = [*[("expense", 20), ("expense", 40), ("refund", -20), ("refund", -10)] * 3, ("income", -20), ("transfer", 20)]
AMOUNTS += [("transfer", -20), ("transfer", -40), ("transfer", 0), ("expense", -20), ("refund", 10)]


def mostly(usual: Any, other: Any) -> some.SearchStrategy:
    """The other one in ten times: what is odd everywhere links nothing."""
    return some.sampled_from([usual] * 9 + [other])


@some.composite
def workspaces(draw: some.DrawFn) -> list[Entry]:
    """Some transactions, and here and there one that names another."""
    day = some.integers(0, 9).map(lambda days: DAY + timedelta(days=days))
    one = some.builds(
        dict,
        amount=some.sampled_from(AMOUNTS),
        account_id=some.sampled_from([CHECKING, SAVINGS, CARD]),
        posted=mostly(True, False),
        occurred_on=day,
        posted_on=some.none() | day,
        currency=mostly("EUR", "USD"),
        merchant=some.sampled_from([None, "A", "A", "B"]),
        category=some.sampled_from([None, "spending", "spending", "transfer"]),
        chosen=mostly(False, True),
        split=mostly(False, True),
        says_transfer=mostly(False, True),
    )
    drawn = draw(some.lists(one, min_size=4, max_size=10))
    entries = []
    for number, fields in enumerate(drawn, start=1):
        kind, amount = fields.pop("amount")
        entries.append(entry(number, str(amount), **fields, kind=kind))
    place = some.integers(0, len(entries))  # one more than there are
    for one_place, other, name in draw(
        some.lists(some.tuples(place, place, some.sampled_from(["refund_of", "transfer_pair"])), max_size=3)
    ):
        if one_place < len(entries):
            entries[one_place] = replace(entries[one_place], **{name: UUID(int=other + 1)})
    return entries


def applied(entries: list[Entry], found: Links) -> list[Entry]:
    """The entries after what was found is done."""
    after = {each.transaction_id: each for each in entries}
    for link in found.links:
        for one, other in link.changed:
            to = {"refund_of": other.transaction_id}
            if link.what != "refund":
                to = {"kind": "transfer", "transfer_pair": other.transaction_id, "category": "transfer"}
            after[one.transaction_id] = replace(one, **to)
    return list(after.values())


@settings(max_examples=400, deadline=None)
@given(workspaces(), some.randoms(use_true_random=False))
def test_links_hold_whatever_the_transactions_are(entries, random):
    found = match(entries)
    shuffled = random.sample(entries, len(entries))
    assert match(shuffled) == found

    changed = [each for link in found.links for each, _ in link.changed]
    assert max(Counter(each.transaction_id for each in changed).values(), default=1) == 1
    assert all(each.posted and not each.linked for each in changed)

    after = applied(entries, found)
    named = {each.transaction_id: each for each in after}
    purchases = {link.other.transaction_id: link.other for link in found.links if link.what == "refund"}
    for link in found.links:
        if link.what != "refund":
            one, other = named[link.one.transaction_id], named[link.other.transaction_id]
            assert opposed(one, other)
            assert (one.transfer_pair, other.transfer_pair) == (other.transaction_id, one.transaction_id)
            assert one.kind == other.kind == "transfer"
            assert not purchases.keys() & {one.transaction_id, other.transaction_id}
    for purchase in purchases.values():
        back = [each for each in after if each.refund_of == purchase.transaction_id and each.amount < 0]
        assert {each.currency for each in back} == {purchase.currency}
        assert -sum(each.amount for each in back) <= purchase.amount

    assert match(after) == replace(found, links=())
    for link in found.links:
        if link.what == "transfer":
            lost = [link.other if each.transaction_id == link.other.transaction_id else each for each in after]
            assert match(lost).links == (Link("half", link.other, named[link.one.transaction_id]),)


@settings(max_examples=200, deadline=None)
@given(workspaces())
def test_the_only_match_is_the_only_one_of_all(entries):
    sides = [each for each in entries if each.amount]
    told: dict[UUID, list[Entry]] = {}
    for one, other in product(sides, sides):
        if opposed(one, other):
            told.setdefault(one.transaction_id, []).append(other)
    assert matches(sides) == {key: others[0] if len(others) == 1 else None for key, others in told.items()}
