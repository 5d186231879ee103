"""Great Expectations' pages: what each suite found lately, kept in its own words, and Data Docs made of that.

They show examples of what was unexpected, of any workspace: they are for whoever runs the installation, lie in its
home, closed to other users, and no page of the app leads to them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from logging import Logger
from pathlib import Path
from typing import Any
from urllib.parse import quote

from uuid6 import uuid7

from orchestration.expectations.runner import Outcome, library
from outlay.stack import files
from outlay.stack.home import check_results
from outlay.stack.home import data_docs as pages

KEPT = 20
"""Runs of a suite whose results are kept: the newest."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src file: data:"
_NOTHING_FROM_ELSEWHERE = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
"""Great Expectations' pages would run scripts of public servers, and hide what these unfold."""


@dataclass(frozen=True)
class DataDocs:
    """Pages that were built: the first of them, how many results each suite has there, and those that failed."""

    index: Path
    results: dict[str, int]
    failed: int


@dataclass(frozen=True)
class _Shown:
    suite: str
    at: str
    """When it was found: ISO 8601, UTC."""
    run_id: str
    success: bool
    page: str
    """Its address below the first page."""


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Outlay: Data Docs</title>
<style>
  body {{ font: 15px/1.5 system-ui, sans-serif; color-scheme: light dark; margin: 2rem auto; max-width: 60rem }}
  td, th {{ padding: .3rem 1.2rem .3rem 0; text-align: left }} strong {{ color: #d33 }}
</style>
<h1>What the checks found</h1>
<p>The newest results of each suite of Great Expectations, newest first. Times are UTC; runs are Dagster's.</p>
<table><tr><th>Suite</th><th>Result</th><th>When</th><th>Run</th></tr>{rows}</table>
</html>
"""


def keep(home: Path, outcomes: Iterable[Outcome], *, run_id: str, log: Logger) -> None:
    """Keep what suites have found for the pages; forgets all but the newest `KEPT` runs of a suite.

    Where that is not possible, `log` hears of it: a check holds or fails by the data alone.
    """
    for outcome in outcomes:
        folder = check_results(home) / outcome.suite
        said = {"run_id": run_id, "at": datetime.now(UTC).isoformat(), "result": outcome.result}
        try:
            (folder / run_id).mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write(folder / run_id / f"{uuid7()}.json", json.dumps(said))
            for old in sorted(folder.iterdir(), key=_newest_of)[:-KEPT]:
                shutil.rmtree(old)
        except OSError as error:
            log.warning("what the suite %s found is not kept for Data Docs: %s", outcome.suite, error)


def _newest_of(run: Path) -> str:
    return max((path.stem for path in run.glob("*.json")), default="")


def newest(home: Path) -> str | None:
    """The id of the newest result; None while there is none."""
    kept = _kept(home)
    return kept[-1].stem if kept else None


def _kept(home: Path) -> list[Path]:
    """Every result that is kept, the oldest first: they are named by time. A build may forget some meanwhile."""
    found = (Path(folder, name) for folder, _, names in os.walk(check_results(home)) for name in names)
    return sorted((path for path in found if path.suffix == ".json"), key=lambda path: path.stem)


class NoPage(RuntimeError):
    """Great Expectations could not show a result."""


def build(home: Path) -> DataDocs:
    """Make the pages of every result that is kept, in the place of those that were there.

    Raises:
        NoPage: Great Expectations could not show one; the pages that were there stay.
    """
    gx = library()
    docs = pages(home)
    with files.locked(docs.with_name("docs.lock")):
        beside = docs.with_name("docs.new")
        shutil.rmtree(beside, ignore_errors=True)  # of one that died
        beside.mkdir(mode=0o700)
        context = gx.get_context(mode="ephemeral", project_config=_project(beside))
        shown = [each for each in (_add(context, path) for path in _kept(home)) if each]
        context.build_data_docs(build_index=False)
        for page in beside.rglob("*.html"):
            page.write_text(page.read_text().replace("<head>", f"<head>{_NOTHING_FROM_ELSEWHERE}", 1))
        for each in shown:
            if not (beside / each.page).exists():
                raise NoPage(f"Great Expectations made no page of {each.suite} in run {each.run_id}: see the run's log")
        (beside / "index.html").write_text(_index(shown), encoding="utf-8")
        shutil.rmtree(docs, ignore_errors=True)
        beside.rename(docs)
    counted = dict(sorted(Counter(each.suite for each in shown).items()))
    return DataDocs(docs / "index.html", counted, sum(not each.success for each in shown))


def _project(site: Path) -> Any:
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults(), analytics_enabled=False)
    config.data_docs_sites = {
        "data_docs": {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
            "site_section_builders": {"profiling": "None"},
        }
    }
    return config


def _add(context: Any, path: Path) -> _Shown | None:
    """Give a kept result to Great Expectations, and its suite in the place of an older one; None if it is forgotten."""
    try:
        kept, suite = json.loads(path.read_text()), path.parents[1].name
    except FileNotFoundError:
        return None
    gx = library()
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run = RunIdentifier(run_name=kept["run_id"], run_time=datetime.fromisoformat(kept["at"]))
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), run, batch_identifier=path.stem)
    result = expectationSuiteValidationResultSchema.load(kept["result"])
    result.meta["run_id"] = run
    context.validation_results_store.add(key, result)
    expected = gx.ExpectationSuite(suite)
    expected.add_expectation_configurations([each.expectation_config for each in result.results])
    context.suites.add_or_update(expected)
    page = "/".join(("validations", *key.to_tuple())) + ".html"
    return _Shown(suite, kept["at"], kept["run_id"], result.success, page)


def _index(shown: Sequence[_Shown]) -> str:
    """The first page, of results from the oldest on; Great Expectations' own needs scripts from public servers."""
    rows = "".join(
        f"<tr><td><a href='{quote(each.page)}'>{escape(each.suite)}</a></td>"
        f"<td>{'held' if each.success else '<strong>failed</strong>'}</td>"
        f"<td>{escape(each.at[:19].replace('T', ' '))}</td><td>{escape(each.run_id)}</td></tr>"
        for each in reversed(shown)
    )
    return _PAGE.format(rows=rows)
