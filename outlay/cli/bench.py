"""``outlay bench``: the benchmarks of the source tree, against the stack that is up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from outlay.cli import Failure

_SOURCE = Path(__file__).parents[2]
NAMES = {
    "live": "bench.live",
    "landing": "bench.landing",
    "replay": "bench.replay",
    "import": "bench.import",
    "main-line": "bench.main_line",
    "silver": "bench.silver",
    "warehouse": "bench.warehouse",
    "orchestration": "bench.orchestration",
    "growth": "bench.growth",
}


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Example: outlay bench live --rounds 3. `outlay bench NAME --help` tells what it measures and needs.",
)
@click.argument("name", type=click.Choice(list(NAMES)))
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def bench(ctx: click.Context, name: str, options: tuple[str, ...]) -> None:
    """Measure a part, beside the most that this machine could do in the same run.

    What a benchmark writes stays in the log: use an installation that is for that (`OUTLAY_HOME`).
    """
    if not (_SOURCE / "bench").is_dir():
        raise Failure("the benchmarks are part of the source tree, and this is an installed package: run it there")
    environment = os.environ | {"PYTHONPATH": str(_SOURCE)}
    done = subprocess.run([sys.executable, "-m", NAMES[name], *options], env=environment, check=False)
    ctx.exit(done.returncode)
