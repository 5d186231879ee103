"""dbt inside the run's own process.

A dbt subprocess costs its start, three seconds, for each invocation; the run has imported dbt already, to load its
definitions. dbt's structured events are those that dagster-dbt reads from a subprocess, and become
Dagster's the same way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from dagster import AssetExecutionContext, AssetMaterialization, Failure, Output
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from orchestration import figures
from orchestration.defs.gold.lineage import Lineage
from orchestration.defs.gold.project import DBT_PROJECT, flags, target
from orchestration.figures.rows import row_counts
from outlay.db import session
from outlay.settings import settings
from outlay.stack import files
from outlay.stack.environment import dbt_variables, last_build

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

Selection = Sequence[str]


def build(
    context: AssetExecutionContext,
    *,
    manifest: Mapping[str, Any],
    translator: DagsterDbtTranslator,
    select: Selection,
    full_refresh: bool = False,
) -> Iterator[Any]:
    """Run ``dbt build`` for the nodes selected, and yield an output for each model and seed and a result for each test.

    Each output's metadata holds `rows_read` and `rows_written`, as PostgreSQL counted them in the model's transaction,
    the `seconds` that dbt took, how many rows the whole table has, and the lineage of its columns.

    Raises:
        Failure: a node failed; the outputs of those that did not have been yielded, and their transactions stand.
    """
    events, invocation_id, problem = invoke(
        ["build", "--select", *select, "--exclude-resource-type", "unit_test", *(["--full-refresh"] * full_refresh)]
    )
    rows, lineage = _rows_by_model(invocation_id), Lineage(manifest, _folder())
    with session("dbt") as connection:
        counts = row_counts(connection, {_table(event) for event in events})
    for event in events:
        node = event["data"]["node_info"]
        is_model = node["resource_type"] == "model"
        known = lineage.remembered(node["unique_id"]) if is_model else {}
        asked = lineage.asked(node["unique_id"]) if is_model and not known else {}
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata=asked)
        for said in message.to_default_asset_events(manifest, translator, context, target_path=_folder()):
            if isinstance(said, Output | AssetMaterialization):
                if asked:
                    lineage.remember(node["unique_id"], said.metadata)
                cost = figures.metadata(
                    **rows.get(node["node_name"], {"rows_read": 0, "rows_written": 0}),
                    seconds=event["data"]["execution_time"],
                    row_count=counts.get(_table(event)),
                )
                yield said.with_metadata({**said.metadata, **known, **cost})
            else:
                yield said
    if problem:
        raise Failure(problem, allow_retries=False)


def invoke(arguments: Sequence[str]) -> tuple[list[dict[str, Any]], str, str | None]:
    """Run dbt; the events of nodes that ended, the invocation's id, and a line for each node that failed, or None."""
    from dbt.cli.main import dbtRunner
    from google.protobuf.json_format import MessageToDict

    os.environ.update(dbt_variables(settings()))
    events: list[dict[str, Any]] = []
    seen: dict[str, str] = {}

    def listen(event: Any) -> None:
        seen["id"] = event.info.invocation_id
        if event.info.name in ("LogSeedResult", "LogModelResult", "LogTestResult"):
            events.append(MessageToDict(event, preserving_proto_field_name=True))

    with chdir(DBT_PROJECT):  # dbt goes there and stays
        done = dbtRunner(manifest=_parsed(), callbacks=[listen]).invoke([*arguments, *flags(_folder())])
    return events, seen.get("id", ""), None if done.success else _problem(done)


def keep_as_last_build() -> None:
    """Keep the manifest of this run for developers of models, who build what differs from it: `DBT_STATE`."""
    kept = last_build(settings()) / "manifest.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    files.write(kept, (_folder() / "manifest.json").read_text())


def _table(event: Mapping[str, Any]) -> tuple[str, str]:
    made = event["data"]["node_info"]["node_relation"]
    return made["schema"], made["alias"]


def _folder() -> Path:
    return target() / "run"


@cache
def _parsed() -> Manifest:
    """The project as dbt's own object: read once in a run, from what the last run left."""
    from dbt.cli.main import dbtRunner

    os.environ.update(dbt_variables(settings()))
    with chdir(DBT_PROJECT):
        done = dbtRunner().invoke(["parse", *flags(_folder())])
    if not done.success:
        raise Failure(f"the dbt project does not parse: {done.exception}")
    return done.result


def _problem(done: Any) -> str:
    if done.exception is not None:
        return f"dbt: {done.exception}"
    failed = [r for r in done.result.results if r.status in ("error", "fail")]
    return "; ".join(f"{r.node.name}: {' '.join((r.message or '').split())}" for r in failed)


def _rows_by_model(invocation_id: str) -> dict[str, dict[str, int]]:
    query = "SELECT model, rows_read, rows_written FROM gold.model_runs WHERE invocation_id = %s"
    try:
        with session("dbt") as connection:
            rows = connection.execute(query, (invocation_id,)).fetchall()
    except psycopg.errors.UndefinedTable:  # the very first run failed before its first statement
        return {}
    return {model: {"rows_read": read, "rows_written": written} for model, read, written in rows}
