"""``outlay build``: launch a build in Dagster and follow it to its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import click

from outlay.builds import DagsterUnavailable
from outlay.cli import Failure
from outlay.cli.running import refuse_failed, run
from outlay.run_tags import FULL_REFRESH, LAUNCHED_BY

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
    refuse_failed(result, JOB)


def run_build(*, full: bool, say: Callable[[str], None], launched_by: str) -> dict:
    """Launch a build and wait for its end: see `outlay.cli.running.run`."""
    tags = {LAUNCHED_BY: launched_by}
    if full:
        tags[FULL_REFRESH] = "true"
    return run(JOB, say=say, tags=tags)
