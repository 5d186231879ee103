"""A run of Dagster, launched and followed to its end at the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from outlay.builds import Dagster, Happening
from outlay.cli import Failure
from outlay.settings import settings


def run(
    job: str, *, say: Callable[[str], None], tags: dict[str, str], config: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Launch a run of `job` and wait for its end; `say` gets a line per asset and per failed check.

    Returns ``{"run_id", "url", "status", "seconds", "assets": {key: figures}, "checks": [...], "error"}``. Ctrl-C asks
    Dagster to stop the run, which leaves every layer as its last finished step left it.

    Raises:
        DagsterUnavailable: Dagster does not answer, or refuses the run.
    """
    url = settings().dagster_url
    dagster = Dagster(url)
    started = time.time()
    run_id = dagster.launch(job, tags=tags, config=config)
    result: dict = {"run_id": run_id, "url": f"{url}/runs/{run_id}", "assets": {}, "checks": [], "error": None}
    say(f"{job} {result['url']}")
    try:
        for happening in dagster.follow(run_id):
            is_told = happening.subject in result["assets"]  # an asset of several days is made once for each
            _note(result, happening)
            line = _line(happening, started)
            if line and not is_told:
                say(line)
    except KeyboardInterrupt:
        dagster.terminate(run_id)
        click.echo(f"stopping the {job}; what its finished steps wrote stays", err=True)
        sys.exit(130)
    result["seconds"] = round(time.time() - started, 2)
    return result


def refuse_failed(result: dict[str, Any], job: str) -> None:
    """Raise Failure unless a run that `run` has told of succeeded."""
    if result["status"] != "SUCCESS":
        raise Failure(result["error"] or f"the {job} ended as {result['status'].lower()}; see {result['url']}")


def _note(result: dict, happening: Happening) -> None:
    match happening.kind:
        case "materialised" | "observed":
            result["assets"][happening.subject] = happening.figures | {"at": happening.at}
        case "checked":
            asset, _, check = happening.subject.rpartition(":")
            result["checks"].append(
                {
                    "asset": asset,
                    "check": check,
                    "passed": happening.ok,
                    "severity": "error" if happening.blocking else "warn",
                    "description": happening.detail,
                    "figures": happening.figures,
                }
            )
        case "failed":
            if result["error"] is None or result["error"].startswith("run:"):
                result["error"] = f"{happening.subject}: {happening.detail}"
        case "ended":
            result["status"] = happening.subject


def _line(happening: Happening, started: float) -> str | None:
    clock = f"{happening.at - started:6.1f} s"
    match happening.kind:
        case "materialised":
            read, written = happening.figures.get("rows_read"), happening.figures.get("rows_written")
            rows = "" if written is None else f"{written:>12,} rows written"
            rows += "" if read is None else f", {read:,} read"
            return f"{clock}  {happening.subject:<42}{rows}"
        case "checked" if not happening.ok:
            kind = "blocked by" if happening.blocking else "warning from"
            return f"{clock}  {kind} {happening.subject}: {happening.detail}"
        case "retried":
            return f"{clock}  tried again: {happening.subject}: {happening.detail}"
        case "failed":
            return f"{clock}  failed: {happening.subject}: {happening.detail}"
    return None
