"""`outlay trace`: where what somebody asked for has come to."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from outlay.cli import Failure
from outlay.cli.options import json_option

if TYPE_CHECKING:
    from outlay.ledger.tracing import Traced


@click.command(epilog="Example: outlay trace 01a20b98-8c2c-7f69-9929-e2731bd703f3")
@click.argument("correlation_id")
@json_option
def trace(correlation_id: str, as_json: bool) -> None:
    """Follow what one request or one run has made, from the log to gold.

    CORRELATION_ID is in each answer of the API (X-Correlation-ID), in its problems and in the log; of `outlay match`
    and `outlay merchants redecide` it is the run's id.
    """
    from outlay.ledger.tracing import trace as follow

    found = follow(correlation_id)
    if not found and not as_json:
        message = "a request that only looked, or was refused, makes none"
        raise Failure(f"no event has the correlation id {correlation_id!r}: {message}")
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], default=str))
    else:
        _print(found)


def _print(found: list[Traced]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for each in found:
        begun = each.steps[0].at
        table = Table(
            title=f"{each.entity} {each.entity_id}, version {each.version}: {each.operation}", title_justify="left"
        )
        for name in ("place", "at", "after", "where"):
            table.add_column(name, justify="right" if name == "after" else "left")
        for step in each.steps:
            after = f"{(step.at - begun).total_seconds():,.3f} s"
            table.add_row(step.place, step.at.isoformat(" ", "milliseconds"), after, step.what)
        console.print(table)
