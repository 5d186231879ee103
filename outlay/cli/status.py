"""``outlay status``: how the servers are, and what each layer holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from outlay.cli.options import json_option
from outlay.settings import settings

if TYPE_CHECKING:
    from outlay.stack.status import Status

COLOURS = {"running": "green", "external": "green", "starting": "yellow", "stopped": "dim"}


@click.command(epilog="Example: outlay status --json | jq .layers.gold.totals")
@json_option
@click.option("--no-layers", is_flag=True, help="Leave out what the layers hold, which takes longer to read.")
@click.pass_context
def status(ctx: click.Context, as_json: bool, no_layers: bool) -> None:
    """Show each server's state, address, CPU and memory, each layer's transactions and totals, and how far the
    readers of the log are behind.

    Exits with 0 only if every server is healthy.
    """
    from outlay.stack.status import status as look

    found = look(settings())
    healthy = all(server.healthy for server in found)
    layers = _layers(found) if not no_layers else {}
    log = _log(found) if not no_layers else {}
    quarantined = _quarantined(found) if not no_layers else {}
    if as_json:
        services = {server.name: _as_json(server) for server in found}
        click.echo(json.dumps({"services": services, "log": log, "layers": layers, "quarantined": quarantined}))
    else:
        _print(found, layers, log, quarantined)
    ctx.exit(0 if healthy else 1)


def _layers(found: list[Status]) -> dict[str, dict]:
    """Each layer's figures; none while the database, which names what each holds, is away."""
    if not _healthy(found, "postgres"):
        return {}
    from outlay.ledger.layers import layers

    return layers()


def _log(found: list[Status]) -> dict[str, dict]:
    """What of each topic waits to be read; none while Kafka or the database is away."""
    if not _healthy(found, "postgres", "kafka"):
        return {}
    from outlay.ledger.backlog import backlog

    return backlog()


def _quarantined(found: list[Status]) -> dict[str, int]:
    """How many events of each topic are in live and not in gold, for they break a rule."""
    if not _healthy(found, "postgres"):
        return {}
    from outlay.db import session
    from outlay.ledger.quarantine import open_events

    with session("pipeline") as connection:
        return open_events(connection)


def _healthy(found: list[Status], *names: str) -> bool:
    return all(server.healthy for server in found if server.name in names)


def _as_json(server: Status) -> dict:
    return {
        "state": server.state,
        "reason": server.reason or None,
        "address": server.address or None,
        "pid": server.pid,
        "cpu_percent": server.cpu_percent,
        "memory_bytes": server.memory_bytes,
        "uptime_seconds": None if server.uptime_seconds is None else round(server.uptime_seconds, 1),
    }


def _print(found: list[Status], layers: dict[str, dict], log: dict[str, dict], quarantined: dict[str, int]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("service", "state")
    table.add_column("address", overflow="fold", ratio=1)
    for column in ("pid", "CPU %", "memory MB", "up for"):
        table.add_column(column, justify="right")
    for server in found:
        table.add_row(
            server.name,
            f"[{COLOURS.get(server.state, 'red')}]{server.state}[/]",
            server.address,
            str(server.pid or ""),
            "" if server.cpu_percent is None else f"{server.cpu_percent:.0f}",
            "" if server.memory_bytes is None else f"{server.memory_bytes / 1e6:.0f}",
            "" if server.uptime_seconds is None else _duration(server.uptime_seconds),
        )
    console.print(table)
    for server in found:
        if server.reason and server.state != "stopped":
            console.print(f"{server.name}: {server.reason}", markup=False)
    if layers:
        console.print(_layer_table(layers))
    if log:
        console.print(_log_line(log), markup=False, soft_wrap=True)
    if quarantined:
        count = sum(quarantined.values())
        console.print(f"{count:,} events break a rule and are not in gold: outlay quarantine list", soft_wrap=True)


def _layer_table(layers: dict[str, dict]):
    from rich.table import Table

    table = Table("layer", "totals (money out less money in)")
    table.add_column("transactions", justify="right")
    for name, figures in layers.items():
        totals = "  ".join(f"{total} {currency}" for currency, total in figures["totals"].items())
        table.add_row(name, totals, f"{figures['transactions']:,}")
    return table


def _log_line(log: dict[str, dict]) -> str:
    def of_all(what: str) -> int:
        return sum(topic[what] for topic in log.values())

    line = f"log: {of_all('unread'):,} messages not in live yet, {of_all('unlanded'):,} not in bronze yet"
    letters = of_all("dead_letters")
    return f"{line}, {letters:,} dead letters: outlay dead-letters list" if letters else f"{line}, no dead letters"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
