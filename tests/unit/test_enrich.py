"""A descriptor as banks print it becomes a merchant and a category; the same text always the same."""

from __future__ import annotations

import csv

import pytest

from ingestion.enrich import Enricher
from ingestion.enrich.clean import display_name, without_noise
from outlay.settings import PROJECT

SEEDS = PROJECT / "seeds"


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher(SEEDS)


@pytest.mark.parametrize(
    ("description", "merchant", "category_id"),
    [
        ("PAYPAL *NETFLIX", "Netflix", "leisure.streaming"),
        ("WAL-MART #3159", "Walmart", "food.groceries"),
        ("walmart 1150", "Walmart", "food.groceries"),
        ("CDN TIRE STORE #00654", "Canadian Tire", "shopping.general"),
        ("THE HOME DEPOT #7107", "The Home Depot", "housing.improvement"),
        ("AMZN Mktp US*2X4YZ12", "Amazon", "shopping.general"),
        ("REWE SAGT DANKE 12345 BERLIN DE", "Rewe", "food.groceries"),
        ("TIM HORTONS #22 TORONTO ON CA", "Tim Hortons", "food.coffee"),
        ("407 ETR", "407 ETR", "transport.tolls"),
        ("Kartenzahlung EDEKA Müller", "Edeka", "food.groceries"),
        ("SQ *CORNER BAKERY TORONTO ON", "Corner Bakery", None),
        ("KOTYCK BROS LIMITED", "Kotyck Bros", None),
        ("J.J. DOWNS INDUSTRIAL", "J.J. Downs Industrial", None),
        ("McKinnon's Books", "McKinnon's Books", None),
    ],
)
def test_the_merchant_and_category_of_a_descriptor(enricher, description, merchant, category_id):
    found = enricher.enrich(description)
    assert (found.merchant, found.category_id) == (merchant, category_id)


@pytest.mark.parametrize("misspelt", ["Walmrat", "STARBUKCS 1234", "ROSMANN", "NETFLIXX"])
def test_one_wrong_letter_is_still_the_brand_with_less_confidence(enricher, misspelt):
    found = enricher.enrich(misspelt)
    assert found.merchant in {"Walmart", "Starbucks", "Rossmann", "Netflix"}
    assert found.category_confidence == 0.7


def test_the_card_code_decides_where_no_brand_does(enricher):
    found = enricher.enrich("FORNO ANTICO", mcc="5812")
    assert (found.merchant, found.category_id, found.category_source) == ("Forno Antico", "food.restaurants", "mcc")
    assert enricher.enrich("ANY", mcc="780").category_id == enricher.enrich("ANY", mcc="0780").category_id


def test_a_name_that_only_begins_like_a_brand_gives_way_to_the_card_code(enricher):
    taxi = enricher.enrich("METRO TAXI", mcc="4121")
    assert (taxi.merchant, taxi.category_id) == ("Metro Taxi", "transport.taxi")
    assert enricher.enrich("METRO #37", mcc="5411").merchant == "Metro"


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_no_text_no_merchant(enricher, nothing):
    found = enricher.enrich(nothing)
    assert found.merchant is None
    assert found.category_id is None
    assert found.category_source == "unknown"
    assert found.decided_by is None


def test_a_descriptor_of_nothing_but_noise_keeps_its_text(enricher):
    assert enricher.enrich("#1234").merchant == "#1234"
    assert without_noise("  12   34 ") == "12 34"


def test_who_decided_changes_when_the_seeds_do(enricher, tmp_path):
    for file in SEEDS.glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "merchants.csv").open("a") as file:
        file.write("forno antico,Forno Antico,food.restaurants\n")
    changed = Enricher(tmp_path)
    assert changed.enrich("FORNO ANTICO").category_id == "food.restaurants"
    assert changed.version != enricher.version
    assert enricher.enrich("NETFLIX").decided_by == enricher.version


@pytest.mark.parametrize(
    ("name", "category_id"),
    [
        ("Groceries", "food.groceries"),
        ("LEBENSMITTEL", "food.groceries"),
        ("épicerie", "food.groceries"),
        ("food.groceries", "food.groceries"),
        ("Transit/Taxi/Parking", "transport"),
        ("Fuel", "transport.fuel"),
        ("Membership/Charity", None),
    ],
)
def test_a_sources_category_is_ours_by_name_or_alias_in_several_languages(enricher, name, category_id):
    assert enricher.category_named(name) == category_id


def test_display_names_keep_the_merchants_own_mixed_case():
    assert display_name("MARCHANT'S SCHOOL OF ART") == "Marchant's School of Art"
    assert display_name("iStore de Paris") == "iStore de Paris"


def test_every_reference_points_into_the_tree_and_no_name_means_two_things(enricher):
    tree = enricher.categories
    assert all(c.parent_id is None or c.parent_id in tree for c in tree.values())
    names = [c.name.casefold() for c in tree.values()]
    assert sorted(names) == sorted(set(names))
    for file in ("mccs", "merchants", "category_aliases"):
        unknown = {row["category_id"] for row in rows(file)} - tree.keys()
        assert unknown == set(), file
    patterns = [row["pattern"] for row in rows("merchants")]
    assert len(patterns) == len(set(patterns))
    assert {c.kind for c in tree.values()} == {"spending", "income", "transfer"}


def test_currencies_are_whole():
    listed = {row["currency"]: row for row in rows("currencies")}
    assert {code: listed[code]["minor_units"] for code in ("EUR", "JPY", "KWD", "CLF")} == {
        "EUR": "2",
        "JPY": "0",
        "KWD": "3",
        "CLF": "4",
    }
    assert len({row["numeric_code"] for row in listed.values()}) == len(listed)
    assert all(len(row["numeric_code"]) == 3 and row["name"] for row in listed.values())


def rows(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
