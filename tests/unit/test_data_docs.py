"""Great Expectations' pages show what the newest checks found."""

import json
import logging
import re
from pathlib import Path
from urllib.parse import unquote

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner

from orchestration.automation.sensors import unshown_results
from orchestration.defs import quality
from orchestration.expectations import Expected, Outcome, data_docs, run
from outlay.cli import cli
from outlay.settings import settings
from outlay.stack.home import check_results

LOG = logging.getLogger("tests")
NOT_NULL = [Expected("ExpectColumnValuesToNotBeNull", {"column": "merchant"})]


def found(*merchants: str | None) -> Outcome:
    return run("facts", pd.DataFrame({"merchant": merchants}), NOT_NULL)


def text_of(home: Path, run_id: str) -> str:
    """What a browser shows of the page of a run."""
    (page,) = (home / "quality" / "docs" / "validations" / "facts" / run_id).rglob("*.html")
    without_code = re.sub(r"<(script|style)\b.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without_code).split())


def broken_links(site: Path) -> list[str]:
    """Addresses within the pages that lead nowhere."""
    return [
        f"{page.relative_to(site)}: {address}"
        for page in site.rglob("*.html")
        for _, address in re.findall(r"<a\b[^>]*?href=(['\"])(.*?)\1", page.read_text(), flags=re.DOTALL)
        if not address.startswith(("#", "http"))
        if not (page.parent / unquote(address)).exists()
    ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_the_pages_show_what_held_and_what_failed(home):
    data_docs.keep(home, [found("Bakery", "Käse & Söhne")], run_id="run-1", log=LOG)
    data_docs.keep(home, [found("Bakery", None)], run_id="run-2", log=LOG)
    built = data_docs.build(home)
    assert (built.results, built.failed) == ({"facts": 2}, 1)
    index = built.index.read_text()
    assert "run-1" in index
    assert "run-2" in index
    assert "Status: Succeeded" in text_of(home, "run-1")
    assert "Status: Failed" in text_of(home, "run-2")
    assert "1 unexpected values found. 50% of 2 total rows" in text_of(home, "run-2")
    assert "Run Name run-2" in text_of(home, "run-2")
    assert broken_links(built.index.parent) == []
    shown = CliRunner().invoke(cli, ["data-docs"])
    assert shown.output.strip() == str(built.index)


def test_only_the_newest_results_are_kept_and_shown(home, monkeypatch):
    monkeypatch.setattr(data_docs, "KEPT", 2)
    outcome = found("Bakery")
    for number in range(4):
        data_docs.keep(home, [outcome], run_id=f"run-{number}", log=LOG)
        data_docs.build(home)
    kept = sorted((home / "quality/results/facts").glob("*/*.json"), key=lambda path: path.stem)
    assert [json.loads(path.read_text())["run_id"] for path in kept] == ["run-2", "run-3"]
    assert data_docs.newest(home) == kept[-1].stem
    index = data_docs.build(home).index.read_text()
    assert ["run-1" in index, "run-2" in index] == [False, True]


def test_a_build_that_forgets_results_meanwhile_leaves_the_pages_of_the_others(home, monkeypatch):
    for number in range(3):
        data_docs.keep(home, [found("Bakery")], run_id=f"run-{number}", log=LOG)
    kept = data_docs._kept(home)
    monkeypatch.setattr(data_docs, "KEPT", 1)
    data_docs.keep(home, [found("Bakery")], run_id="run-3", log=LOG)
    monkeypatch.setattr(data_docs, "_kept", lambda home: [*kept, *check_results(home).glob("*/run-3/*.json")])
    assert data_docs.build(home).results == {"facts": 1}


def test_a_failed_batch_is_shown_however_many_of_its_run_held(home, monkeypatch):
    monkeypatch.setattr(data_docs, "KEPT", 2)
    data_docs.keep(home, [found(None), *[found("Bakery")] * 4], run_id="run", log=LOG)
    assert data_docs.build(home).failed == 1


def test_a_result_that_cannot_be_kept_is_told_and_fails_no_check(home, caplog):
    (home / "quality").write_text("not a folder")
    data_docs.keep(home, [found("Bakery")], run_id="run", log=LOG)
    assert "what the suite facts found is not kept for Data Docs" in caplog.text


def test_a_result_without_a_page_is_an_error_and_the_old_pages_stay(home, monkeypatch):
    data_docs.keep(home, [found("Bakery")], run_id="run-1", log=LOG)
    before = data_docs.build(home).index.read_text()
    data_docs.keep(home, [found("Bakery")], run_id="run-2", log=LOG)
    renderer = "great_expectations.render.renderer.page_renderer.ValidationResultsPageRenderer.render"
    monkeypatch.setattr(renderer, lambda *args, **kwargs: 1 / 0)
    with pytest.raises(data_docs.NoPage, match="no page of facts in run run-1"):
        data_docs.build(home)
    assert (home / "quality/docs/index.html").read_text() == before


def test_no_page_asks_another_server_or_runs_a_script(home):
    data_docs.keep(home, [found(None)], run_id="run", log=LOG)
    pages = [*data_docs.build(home).index.parent.rglob("*.html")]
    assert len(pages) == 3
    for page in pages:
        head = page.read_text().partition("<head>")[2][:200]
        assert "default-src 'none'" in head or "<script" not in page.read_text()


def test_the_asset_says_how_many_results_it_shows_and_where(home):
    data_docs.keep(home, [found("Bakery"), found(None)], run_id="run", log=LOG)
    done = dg.materialize([quality.data_docs])
    (shown,) = done.asset_materializations_for_node(quality.data_docs.op.name)
    said = {name: value.value for name, value in shown.metadata.items()}
    assert said.pop("seconds") >= 0
    assert said == {
        "pages": str(home / "quality" / "docs" / "index.html"),
        "results": 2,
        "failed": 1,
        "results/facts": 2,
    }


def test_pages_are_asked_for_once_when_a_build_has_ended_in_which_a_suite_ran(home):
    with dg.DagsterInstance.ephemeral() as instance:

        def asked() -> str | None:
            said = unshown_results(dg.build_sensor_context(instance=instance))
            return said.run_key if isinstance(said, dg.RunRequest) else None

        assert asked() is None
        data_docs.keep(home, [found(None)], run_id="run", log=LOG)
        first = asked()
        assert first == data_docs.newest(home)
        assert asked() == first  # Dagster runs a key once
        build = instance.add_run(dg.DagsterRun(job_name="build", status=dg.DagsterRunStatus.STARTED))
        data_docs.keep(home, [found("Bakery")], run_id="run", log=LOG)
        assert asked() is None
        instance.report_run_failed(build)
        assert asked() == data_docs.newest(home) != first


def test_before_the_first_check_there_is_one_clear_line(home):
    assert data_docs.newest(home) is None
    done = CliRunner().invoke(cli, ["data-docs"])
    assert done.exit_code == 1
    assert "there are no Data Docs yet" in done.output


def test_what_checks_found_is_closed_to_other_users(home):
    data_docs.keep(home, [found(None)], run_id="run", log=LOG)
    (kept,) = (home / "quality/results/facts/run").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
