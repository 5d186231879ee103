"""Every model, seed and column of the warehouse says what it is, and every fact and dimension keeps a contract."""

from __future__ import annotations

import pytest
import yaml

from ingestion.rates import OLDEST
from outlay.settings import PROJECT

SHORTEST = 20


@pytest.fixture(scope="module")
def manifest():
    from orchestration.defs.gold import project

    return project.manifest()


def described(manifest) -> list[tuple[str, dict]]:
    kinds = ("model", "seed", "source")
    nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
    return [(node["unique_id"], node) for node in nodes if node["resource_type"] in kinds]


def test_no_description_is_shorter_than_a_sentence_or_repeats_the_name(manifest):
    poor = [
        f"{unique_id}.{column['name']}: {column['description']!r}"
        for unique_id, node in described(manifest)
        for column in [node, *node["columns"].values()]
        if len(column["description"].strip()) < SHORTEST
        or column["description"].strip().lower().replace(" ", "_") == column["name"].lower()
    ]
    assert poor == []


def test_every_mart_keeps_an_enforced_contract_with_a_key(manifest):
    marts = [n for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["schema"] == "gold"]
    assert {mart["name"] for mart in marts} >= {
        *("fct_transactions", "fct_daily_spend", "dim_date", "dim_user", "dim_account", "dim_category"),
        *("dim_merchant", "dim_currency", "fct_deliveries", "fct_budget_months"),
        "fct_recurring_candidates",
    }
    assert [m["name"] for m in marts if not m["contract"]["enforced"]] == []
    tables = [mart for mart in marts if mart["config"]["materialized"] != "view"]
    assert [t["name"] for t in tables if "primary_key" not in {c["type"] for c in t["constraints"]}] == []


def test_what_follows_a_topic_says_which_keys_a_batch_touches_or_only_adds(manifest):
    growing = [n for n in manifest["nodes"].values() if n["config"].get("topics")]
    assert len(growing) >= 10
    said = {n["name"]: (bool(n["config"].get("touched")), bool(n["config"].get("replace_by"))) for n in growing}
    assert {name for name, each in said.items() if each != (True, True)} == {"int_reconversions"}
    assert said["int_reconversions"] == (False, False)


def test_models_with_logic_have_a_unit_test(manifest):
    tested = {unit["model"] for unit in manifest["unit_tests"].values()}
    growing = {n["name"] for n in manifest["nodes"].values() if n["config"].get("topics")}
    assert growing - tested == set()


def test_every_page_of_the_app_is_an_exposure(manifest):
    assert {exposure["name"] for exposure in manifest["exposures"].values()} >= {"dashboard", "expenses"}


def test_a_rate_is_in_use_as_long_in_gold_as_elsewhere():
    project = yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text())
    assert project["vars"]["oldest_rate"] == OLDEST
