"""``outlay demo``: the whole line once, from simulated spending to gold, and what each layer holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.table import Table

from outlay.cli import Failure
from outlay.cli.build import run_build
from outlay.settings import settings

LAYERS = {"bronze": ("bronze",), "silver": ("silver",), "gold": ("reference", "staging", "intermediate", "gold")}


@click.command(epilog="Example: make demo")
@click.pass_context
def demo(ctx: click.Context) -> None:
    """Start everything, simulate a year of two households, build to gold, and leave it running."""
    from outlay.cli.simulate import simulate
    from outlay.cli.stack import up
    from outlay.ledger.layers import layers

    took: dict[str, float] = {}
    with _stage(took, "servers"):
        ctx.invoke(up)
    settings.cache_clear()
    with _stage(took, "live"):
        ctx.invoke(simulate)
    began = time.time()
    result = run_build(full=False, say=click.echo, launched_by="demo")
    if result["status"] != "SUCCESS":
        raise Failure(result["error"] or f"the build ended as {result['status'].lower()}; see {result['url']}")
    took |= _stages_of(result, began)
    click.echo("reading each layer's own store")
    Console().print(_table(layers(), result, took))
    click.echo(f"servers up in {took['servers']:.1f} s, built in {result['seconds']:.1f} s; everything keeps running")
    for line in _addresses():
        click.echo(line)


@contextmanager
def _stage(took: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    took[name] = time.monotonic() - started


def _stages_of(result: dict, began: float) -> dict[str, float]:
    """Seconds from the end of the layer before (for bronze: from the launch) to the layer's last materialisation."""
    took = {}
    for layer, groups in LAYERS.items():
        ends = [f["at"] for key, f in result["assets"].items() if key.split("/")[0] in groups]
        if ends:
            took[layer] = max(max(ends) - began, 0.0)
            began = max(ends)
    return took


def _table(layers: dict[str, dict], result: dict, took: dict[str, float]) -> Table:
    """Per layer: its current transactions, their totals by currency, rows this run wrote, and its time in seconds."""
    table = Table(title="Current transactions, from each layer's own store")
    table.add_column("layer")
    table.add_column("transactions", justify="right")
    table.add_column("totals (money out less money in)")
    table.add_column("rows written", justify="right")
    table.add_column("seconds", justify="right")
    for layer, figures in layers.items():
        groups = LAYERS.get(layer, ())
        written = [f.get("rows_written", 0) for key, f in result["assets"].items() if key.split("/")[0] in groups]
        table.add_row(
            layer,
            f"{figures['transactions']:,}",
            "  ".join(f"{total} {currency}" for currency, total in figures["totals"].items()),
            f"{sum(written):,}" if layer in LAYERS else "",
            f"{took[layer]:.1f}" if layer in took else "",
        )
    return table


def _addresses() -> list[str]:
    here = settings()
    return [
        f"app      {here.entry_url}",
        f"dagster  {here.dagster_url}",
        f"api      {here.app_url}/api/docs",
    ]
