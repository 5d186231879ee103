"""What people see of the last builds: every figure from Dagster's own records, in a picture that its pages show."""

from __future__ import annotations

import re
from base64 import b64decode
from xml.etree import ElementTree

import pytest
from dagster import (
    AssetsDefinition,
    DagsterInstance,
    Definitions,
    MaterializeResult,
    asset,
    define_asset_job,
    materialize,
)

from orchestration import figures
from orchestration.defs import quality
from orchestration.figures.builds import LAYERS, last_builds
from orchestration.figures.chart import Bars, chart, svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def instance():
    with DagsterInstance.ephemeral() as instance:
        yield instance


def wrote(key: list[str], rows: int, *, fails: bool = False) -> AssetsDefinition:
    @asset(key=key)
    def made() -> MaterializeResult:
        if fails:
            raise ValueError("no")
        return MaterializeResult(metadata=figures.metadata(rows_read=0, rows_written=rows, seconds=0.1))

    return made


def build(instance: DagsterInstance, *assets: AssetsDefinition) -> str:
    """A run of a job named `build` of these assets."""
    job = Definitions(assets=assets, jobs=[define_asset_job("build")]).resolve_job_def("build")
    return job.execute_in_process(instance=instance, raise_on_error=False).run_id


def heights(picture: str) -> list[float]:
    return [float(bar.get("height")) for bar in ElementTree.fromstring(picture).iter(f"{SVG}rect")]  # noqa: S314


def test_every_layer_gives_its_figures_the_same_names():
    given = figures.metadata(rows_read=7, rows_written=3, seconds=1.23456, row_count=10, files=2)
    assert given == {"rows_read": 7, "rows_written": 3, "seconds": 1.235, "dagster/row_count": 10, "files": 2}
    assert "dagster/row_count" not in figures.metadata(rows_read=7, rows_written=3, seconds=1)


def test_rows_of_a_build_are_added_up_by_layer_and_those_of_a_batch_are_counted_once(instance):
    run_id = build(
        instance,
        wrote(["bronze", "transaction"], 5),
        wrote(["silver", "transaction_batch"], 5),
        wrote(["silver", "transaction_events"], 5),
        wrote(["silver", "transaction_lines"], 7),
        wrote(["gold", "fct_transactions"], 7),
    )
    (found,) = last_builds(instance, "build")
    assert (found.run_id, found.succeeded) == (run_id, True)
    assert found.rows == {"bronze": 5, "silver": 12, "intermediate": 0, "gold": 7}
    assert 0 < found.seconds < 600


def test_the_newest_builds_are_told_oldest_first_and_those_that_failed_with_what_they_wrote(instance):
    runs = [build(instance, wrote(["bronze", "user"], rows)) for rows in range(3)]
    runs.append(build(instance, wrote(["bronze", "user"], 4), wrote(["gold", "dim_user"], 4, fails=True)))
    materialize([wrote(["bronze", "user"], 9)], instance=instance)  # no build
    assert [each.run_id for each in last_builds(instance, "build", count=3)] == runs[1:]
    newest = last_builds(instance, "build")[-1]
    assert (newest.succeeded, newest.rows["bronze"], newest.rows["gold"]) == (False, 4, 0)


def test_the_asset_shows_a_chart_a_table_and_numbers_that_dagster_plots(instance):
    for rows in (2, 4):
        build(instance, wrote(["bronze", "user"], rows))
    done = materialize([quality.builds], instance=instance)
    (made,) = done.asset_materializations_for_node(quality.builds.op.name)
    found = {name: value.value for name, value in made.metadata.items()}
    assert {"chart", "builds", "build_seconds", "seconds"} <= found.keys()
    assert {layer: found[f"build_rows/{layer}"] for layer in LAYERS} == dict.fromkeys(LAYERS, 0) | {"bronze": 4}
    assert [record["bronze"] for record in (r.data for r in made.metadata["builds"].records)] == [4, 2]


def test_before_the_first_build_there_is_no_chart_and_no_error(instance):
    done = materialize([quality.builds], instance=instance)
    (made,) = done.asset_materializations_for_node(quality.builds.op.name)
    assert set(made.metadata) == {"seconds"}


def test_bars_are_as_high_as_their_values_to_a_scale_of_their_own():
    assert heights(svg([Bars("seconds", [1, 2, 4])])) == [11, 22, 44]
    assert heights(svg([Bars("few", [0, 1]), Bars("many", [500, 1000])])) == [44, 22, 44]
    assert heights(svg([Bars("none", [0, 0]), Bars("nothing", [])])) == []


def test_a_chart_is_text_that_asks_nobody_and_names_its_figures():
    said = chart([Bars("rows < all", [12_345.0, 6.5])], alt="rows of builds")
    (encoded,) = re.fullmatch(r"!\[rows of builds\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", said).groups()
    picture = b64decode(encoded).decode()
    (label,) = ElementTree.fromstring(picture).iter(f"{SVG}text")  # noqa: S314
    assert label.text == "rows < all: 6.5, at most 12,345"
    assert "href" not in picture
    assert "<script" not in picture
