"""The simulator's promises: the same for a seed, whole months, and truth that matches its events."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal

import pytest
from fastavro import parse_schema

from ingestion import contracts, rules
from ingestion.conformance import compiled
from ingestion.enrich import Enricher
from ingestion.sources import simulator
from ingestion.sources.simulator.chance import chance
from ingestion.sources.simulator.stream import paced, purchases, streaming_households
from outlay import money
from outlay.settings import PROJECT

START, END = date(2025, 11, 1), date(2026, 10, 31)


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher(PROJECT / "seeds")


@pytest.fixture(scope="module")
def year(enricher) -> list[tuple[str, dict]]:
    return list(simulator.events(1, START, END, 2, enricher=enricher))


@pytest.fixture(scope="module")
def transactions(year) -> list[dict]:
    return [event for topic, event in year if topic == "transaction"]


@pytest.fixture(scope="module")
def labelled(enricher) -> dict[str, list]:
    by_label = defaultdict(list)
    for so in simulator.truth(1, START, END, 2, enricher=enricher):
        for label in so.labels:
            by_label[label].append(so)
    return by_label


def test_the_same_seed_gives_the_same_events_to_the_byte_and_another_seed_others(year, enricher):
    again = list(simulator.events(1, START, END, 2, enricher=enricher))
    assert repr(again) == repr(year)
    other = simulator.events(2, START, END, 2, enricher=enricher)
    assert {e["event_id"] for _, e in other}.isdisjoint({e["event_id"] for _, e in year})


def test_a_later_period_has_the_same_events_where_it_overlaps(year, enricher):
    known = {event["event_id"]: event for _, event in year}
    for _, event in simulator.events(1, date(2026, 2, 1), END, 2, enricher=enricher):
        assert event == known[event["event_id"]]


def test_all_four_topics_carry_events_that_fit_their_contracts(year):
    assert {topic for topic, _ in year} == set(contracts.TOPICS)
    checks = {topic: compiled(parse_schema(contracts.schema(topic))) for topic in contracts.TOPICS}
    for topic, event in year:
        checks[topic](event)


def test_transactions_break_no_rule(transactions):
    currencies = money.currencies()
    assert [problem for event in transactions for problem in rules.problems(event, currencies)] == []


def test_a_year_of_two_households_is_some_thousand_transactions_in_two_currencies_and_abroad(transactions):
    assert 3_000 <= len(transactions) <= 6_000
    assert {"EUR", "CAD"} < {event["currency"] for event in transactions}
    assert len({event["workspace_id"] for event in transactions}) == 2
    assert {event["kind"] for event in transactions} == {"expense", "refund", "income", "transfer"}
    assert {event["operation"] for event in transactions} == {"recorded", "amended", "voided", "restored"}
    assert all(START <= event["occurred_on"] <= END for event in transactions)


def test_versions_of_a_transaction_come_in_order_without_gaps(transactions):
    versions = defaultdict(list)
    for event in transactions:
        versions[event["transaction_id"]].append(event["version"])
    for transaction_id, seen in versions.items():
        assert sorted(set(seen)) == list(range(1, max(seen) + 1)), transaction_id
        assert seen == sorted(seen), transaction_id


def test_transfers_pair_up_and_cancel_out(transactions):
    transfers = {e["transaction_id"]: e for e in transactions if e["kind"] == "transfer"}
    assert len(transfers) >= 2 * 12 * 2 * 2
    for event in transfers.values():
        other = transfers[event["transfer_pair"]]
        assert other["transfer_pair"] == event["transaction_id"]
        assert other["amount"] == -event["amount"]
        assert other["account_id"] != event["account_id"]


def test_refunds_name_their_purchase_and_are_not_larger(transactions):
    bought = {e["transaction_id"]: e for e in transactions if e["kind"] == "expense"}
    refunds = [e for e in transactions if e["kind"] == "refund"]
    assert refunds
    for refund in refunds:
        purchase = bought[refund["refund_of"]]
        assert 0 < -refund["amount"] <= purchase["amount"]
        assert refund["occurred_on"] > purchase["occurred_on"]


def test_truth_labels_what_happened(transactions, labelled):
    by_id = defaultdict(list)
    for event in transactions:
        by_id[event["transaction_id"]].append(event)
    for label, operation in (("amended", "amended"), ("voided", "voided"), ("restored", "restored")):
        assert labelled[label]
        for so in labelled[label]:
            late = by_id[so.transaction_id][-1]["recorded_at"].date() >= date(2026, 10, 27)
            assert late or operation in {e["operation"] for e in by_id[so.transaction_id]}
    resent = Counter(e["event_id"] for e in transactions)
    twice = {e["transaction_id"] for e in transactions if resent[e["event_id"]] == 2}
    assert twice
    assert twice <= {so.transaction_id for so in labelled["resent"]}
    for so in labelled["split"]:
        event = by_id[so.transaction_id][0]
        assert sum(line["amount"] for line in event["lines"]) == event["amount"]


def test_identical_purchases_differ_in_nothing_but_their_ids(transactions, labelled):
    first = {e["transaction_id"]: e for e in transactions if e["version"] == 1}
    alike = Counter(
        (e["account_id"], e["occurred_at_local"], e["amount"], e["currency"], e["description"]) for e in first.values()
    )
    assert labelled["identical"]
    for so in labelled["identical"]:
        e = first[so.transaction_id]
        assert alike[e["account_id"], e["occurred_at_local"], e["amount"], e["currency"], e["description"]] >= 2


def test_a_misspelt_merchant_is_still_known_to_the_truth(transactions, labelled):
    first = {e["transaction_id"]: e for e in transactions if e["version"] == 1}
    assert labelled["typo"]
    unlike = [so for so in labelled["typo"] if first[so.transaction_id]["merchant"] != so.merchant]
    assert unlike, "no misspelling that enrichment cannot undo"


def test_subscriptions_rise_in_price(transactions):
    paid = sorted(
        (e["occurred_on"], e["amount"])
        for e in transactions
        if e["description"] == "NETFLIX.COM" and e["operation"] == "recorded"
    )
    assert len({amount for _, amount in paid}) == 2
    assert [amount for _, amount in paid] == sorted(amount for _, amount in paid)


def test_december_has_more_gifts_and_weekends_more_bars(enricher):
    five = simulator.events(3, date(2021, 1, 1), date(2025, 12, 31), 1, enricher=enricher)
    bought = [e for t, e in five if t == "transaction" and e["operation"] == "recorded" and e["kind"] == "expense"]
    gifts = Counter(e["occurred_on"].month for e in bought if e["mcc"] in ("5942", "5651", "5732"))
    assert gifts[12] > 1.4 * gifts[7]
    bars = Counter(e["occurred_on"].weekday() for e in bought if e["mcc"] == "5813")
    assert bars[4] + bars[5] > bars[0] + bars[1]


def test_the_usual_period_is_the_twelve_months_before_this_one():
    assert simulator.last_year(date(2026, 11, 20)) == (START, END)
    assert simulator.last_year(date(2026, 1, 5)) == (date(2025, 1, 1), date(2025, 12, 31))
    assert simulator.last_year(date(2024, 3, 1)) == (date(2023, 3, 1), date(2024, 2, 29))


def test_any_number_of_households_with_names_of_their_own():
    made = simulator.households(1, 60)
    assert len({household.name for household in made}) == 60
    assert len({household.workspace_id for household in made}) == 60


def test_streamed_purchases_are_valid_and_never_the_same(enricher):
    stream = purchases(streaming_households(1, 4), enricher, chance(1))
    some = [next(stream) for _ in range(500)]
    assert len({e["event_id"] for e in some}) == len({e["transaction_id"] for e in some}) == 500
    currencies = money.currencies()
    check = compiled(parse_schema(contracts.schema("transaction")))
    for event in some:
        check(event)
        assert rules.problems(event, currencies) == []
        assert event["amount"] > Decimal(0)


def test_the_pace_is_kept_exactly_and_what_was_late_is_made_up_for():
    sent = 0
    for due in paced(1000, threading.Event(), 0.5):
        sent += due
        if sent > 100:
            time.sleep(0.02)  # a slow send
    assert sent == 500


def test_a_stopped_stream_ends_at_once():
    stop = threading.Event()
    stop.set()
    assert list(paced(1000, stop)) == []


def test_the_shops_of_the_simulation_are_known_to_the_seeds(enricher):
    from ingestion.sources.simulator.catalogue import DESTINATIONS, HABITS, SHOPS

    for region, habits in SHOPS.items():
        assert set(habits) == {habit.name for habit in HABITS}, region
    shops = [shop for habits in SHOPS.values() for some in habits.values() for shop in some]
    shops += [shop for some in DESTINATIONS.values() for place in some for shop in place.shops]
    assert [shop for shop in shops if enricher.enrich(shop.descriptor, mcc=shop.mcc).category_id is None] == []
