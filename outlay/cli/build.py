"""``outlay build``: launch a build in Dagster and follow it to its end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial

import click

from outlay.builds import Dagster, DagsterUnavailable, Happening
from outlay.cli import Failure
from outlay.run_tags import FULL_REFRESH, LAUNCHED_BY
from outlay.settings import settings

JOB = "build"


@click.command(epilog="Example: outlay build --json | jq .assets")
@click.option("--full", is_flag=True, help="Rebuild gold from all of silver instead of from what changed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and progress on standard error.")
def build(full: bool, as_json: bool) -> None:
    """Bring bronze, silver and gold up to date with the log, and check them."""
    say = partial(click.echo, err=as_json)
    try:
        result = run_build(full=full, say=say, launched_by="cli")
    except DagsterUnavailable as error:
        raise Failure(str(error)) from error
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        rows = sum(figures.get("rows_written", 0) for figures in result["assets"].values())
        failed = [c for c in result["checks"] if not c["passed"]]
        click.echo(
            f"{result['status'].lower()} in {result['seconds']:.1f} s: {len(result['assets'])} assets, {rows:,} rows "
            f"written, {len(result['checks'])} checks, {len(failed)} failed; {result['url']}"
        )
    if result["status"] != "SUCCESS":
        raise Failure(result["error"] or f"the build ended as {result['status'].lower()}; see {result['url']}")


def run_build(*, full: bool, say: Callable[[str], None], launched_by: str) -> dict:
    """Launch a build and wait for its end; `say` gets a line per asset and per failed check.

    Returns ``{"run_id", "url", "status", "seconds", "assets": {key: figures}, "checks": [...], "error"}``. Ctrl-C asks
    Dagster to stop the run, which leaves every layer as its last finished step left it.
    """
    url = settings().dagster_url
    dagster = Dagster(url)
    started = time.time()
    tags = {LAUNCHED_BY: launched_by}
    if full:
        tags[FULL_REFRESH] = "true"
    run_id = dagster.launch(JOB, tags=tags)
    result: dict = {"run_id": run_id, "url": f"{url}/runs/{run_id}", "assets": {}, "checks": [], "error": None}
    say(f"build {result['url']}")
    try:
        for happening in dagster.follow(run_id):
            _note(result, happening)
            line = _line(happening, started)
            if line:
                say(line)
    except KeyboardInterrupt:
        dagster.terminate(run_id)
        click.echo("stopping the build; what its finished steps wrote stays", err=True)
        sys.exit(130)
    result["seconds"] = round(time.time() - started, 2)
    return result


def _note(result: dict, happening: Happening) -> None:
    match happening.kind:
        case "materialised":
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
