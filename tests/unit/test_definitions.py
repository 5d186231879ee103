"""The graph that people see in Dagster changes only on purpose: every key stands in a snapshot beside this test.

After a change on purpose run ``OUTLAY_UPDATE_SNAPSHOT=1 .venv/bin/pytest tests/unit/test_definitions.py`` and read the
diff.
"""

import json
import os
from pathlib import Path

import pytest
from dagster import AssetKey, AssetSelection, Definitions
from dagster._core.definitions.assets.graph.asset_graph import AssetNode

from orchestration.batches.publish import TABLES

SNAPSHOT = Path(__file__).with_name("definitions.json")


@pytest.fixture(scope="module")
def defs() -> Definitions:
    from orchestration.definitions import defs

    return defs


def _condition(node: AssetNode) -> str | None:
    return node.automation_condition.get_label() if node.automation_condition else None


def graph_of(defs: Definitions) -> dict:
    graph = defs.resolve_asset_graph()
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "kinds": sorted(graph.get(key).kinds),
                "pools": sorted(graph.get(key).pools or ()),
                "condition": _condition(graph.get(key)),
                "upstream": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys),
        "jobs": sorted(job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")),
        "schedules": sorted(schedule.name for schedule in defs.schedules or []),
        "sensors": sorted(sensor.name for sensor in defs.sensors or []),
    }


def test_the_graph_is_the_one_of_the_snapshot(defs):
    now = graph_of(defs)
    if os.environ.get("OUTLAY_UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(now, indent=1) + "\n")
    assert now == json.loads(SNAPSHOT.read_text())


def test_every_asset_says_what_it_is_and_whose(defs):
    graph = defs.resolve_asset_graph()
    silent = []
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if not (node.description and node.owners and node.kinds and node.group_name != "default"):
            silent.append(key.to_user_string())
    assert silent == []


def test_lineage_is_unbroken_from_every_topic_to_an_exposure(defs):
    graph = defs.resolve_asset_graph()
    exposures = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name == "exposures"}
    assert exposures
    for topic in ("transaction", "user"):
        reached, frontier = set(), {AssetKey(["kafka", topic])}
        while frontier:
            reached |= frontier
            frontier = {child for key in frontier for child in graph.get(key).child_keys} - reached
        assert reached & exposures, f"nothing that people read descends from kafka/{topic}"


def test_each_table_of_silver_is_downstream_of_the_topics_whose_batches_are_copied_there(defs):
    graph = defs.resolve_asset_graph()
    copied = {table: {topic for topic in TABLES if table in TABLES[topic].values()} for table in _silver_tables(TABLES)}
    read = {
        table: {parent.path[-1].removesuffix("_batch") for parent in graph.get(AssetKey(["silver", table])).parent_keys}
        for table in copied
    }
    assert read == copied


def test_every_table_that_follows_batches_is_made_when_there_are_new_ones_of_whatever_topic(defs):
    """It goes no further than what it reads has come: one that stayed behind would hold back all that reads it."""
    from orchestration.defs.gold.models import TRANSLATOR
    from orchestration.defs.gold.project import manifest
    from orchestration.defs.silver import silver

    graph = defs.resolve_asset_graph()
    models = [node for node in manifest()["nodes"].values() if node["config"].get("topics")]
    follow = {TRANSLATOR.get_asset_key(node) for node in models}
    assert len(follow) > 10
    assert follow <= AssetSelection.assets(*silver.keys).downstream().resolve(graph)
    assert AssetKey(["silver", "batches"]) in graph.get(AssetKey(["silver", "fx_rates"])).child_keys
    assert silver.keys == {AssetKey(["silver", table]) for table in ("batches", *_silver_tables(TABLES))}
    assert not silver.can_subset  # rates alone bring the list of batches, and so all of them


def _silver_tables(tables: dict[str, dict[str, str]]) -> set[str]:
    return {table for parts in tables.values() for table in parts.values()}
