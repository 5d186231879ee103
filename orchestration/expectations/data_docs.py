"""Great Expectations' pages: what each suite found lately, kept in its own words, and Data Docs made of that.

They show examples of what was unexpected, of any workspace: they are for whoever runs the installation, lie in its
home, closed to other users, and no page of the app leads to them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uuid6 import uuid7

from orchestration.expectations.runner import Outcome, library
from outlay.stack import files
from outlay.stack.home import check_results
from outlay.stack.home import data_docs as pages

KEPT = 20
"""Results of a suite that are kept: the newest."""


@dataclass(frozen=True)
class DataDocs:
    """Pages that were built: the first of them, how many results each suite has there, and those that failed."""

    index: Path
    results: dict[str, int]
    failed: int


def keep(home: Path, outcomes: Iterable[Outcome], *, run_id: str) -> None:
    """Keep what suites have found for the pages; forgets what is older than the newest `KEPT` of a suite."""
    for outcome in outcomes:
        folder = check_results(home) / outcome.suite
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = {"run_id": run_id, "at": datetime.now(UTC).isoformat(), "result": outcome.result}
        files.write(folder / f"{uuid7()}.json", json.dumps(said))
        for old in sorted(folder.glob("*.json"))[:-KEPT]:
            old.unlink(missing_ok=True)


def newest(home: Path) -> str | None:
    """The id of the newest result; None while there is none."""
    return max((path.stem for path in check_results(home).glob("*/*.json")), default=None)


def build(home: Path) -> DataDocs:
    """Make the pages of every result that is kept, in the place of those that were there."""
    gx = library()
    docs = pages(home)
    beside = docs.with_name(f".docs-{uuid7()}")
    beside.mkdir(mode=0o700, parents=True)
    try:
        context = gx.get_context(mode="ephemeral", project_config=_project(beside))
        results: dict[str, int] = {}
        failed = 0
        for path in sorted(check_results(home).glob("*/*.json")):
            kept = json.loads(path.read_text())
            _add(context, path, kept)
            results[path.parent.name] = results.get(path.parent.name, 0) + 1
            failed += not kept["result"]["success"]
        context.build_data_docs()
        shutil.rmtree(docs, ignore_errors=True)
        beside.rename(docs)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return DataDocs(docs / "index.html", results, failed)


def _project(site: Path) -> Any:
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults(), analytics_enabled=False)
    config.data_docs_sites = {
        "data_docs": {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "site_section_builders": {"expectations": "None", "profiling": "None"},
        }
    }
    return config


def _add(context: Any, path: Path, kept: dict[str, Any]) -> None:
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run = RunIdentifier(run_name=kept["run_id"], run_time=datetime.fromisoformat(kept["at"]))
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(path.parent.name), run, batch_identifier=path.stem)
    result = expectationSuiteValidationResultSchema.load(kept["result"])
    result.meta["run_id"] = run
    context.validation_results_store.add(key, result)
