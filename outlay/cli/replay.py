"""``outlay replay``: live, built again from the log and swapped in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import click

from outlay.cli.options import json_option
from outlay.settings import settings

if TYPE_CHECKING:
    from ingestion.replay import Replayed
    from ingestion.replay.checksums import Table


@click.command(epilog="Example: outlay replay --dry-run --json | jq '.tables[] | select(.equal | not)'")
@click.option("--dry-run", is_flag=True, help="Compare, and swap nothing.")
@click.option("--accept-differences", is_flag=True, help="Swap although the new tables differ: live was wrong.")
@click.option("--keep", is_flag=True, help="Keep the old tables in a schema replaced_<time>.")
@json_option
@click.pass_context
def replay(ctx: click.Context, dry_run: bool, accept_differences: bool, keep: bool, as_json: bool) -> None:
    """Build the live view again from bronze and Kafka, compare it with the one there is, and swap it in.

    Pages and API go on reading, and `outlay live` goes on writing. Where the two differ, nothing is swapped and the
    rows are named.

    Exits with 0 if both were equal or the difference was accepted, with 1 if not.
    """
    from ingestion.replay import replay as run

    here = settings()
    with _failing(), _progress() as on_progress:
        done = run(
            bootstrap=here.bootstrap,
            registry_url=here.registry,
            lake=here.lake,
            dsn=here.dsn("owner"),
            accept_differences=accept_differences,
            dry_run=dry_run,
            keep=keep,
            on_progress=on_progress,
        )
    if as_json:
        click.echo(json.dumps(done.as_json()))
    else:
        _print(done, dry_run=dry_run)
    ctx.exit(0 if done.equal or done.swapped else 1)


def _print(done: Replayed, *, dry_run: bool) -> None:
    click.echo(
        f"{done.events:,} events in {done.seconds:,.1f} s, {done.rate:,.0f} events/s: "
        f"{done.from_bronze:,} from bronze, {done.from_kafka:,} from Kafka"
    )
    if done.letters_now_events:
        click.echo(f"{done.letters_now_events:,} dead letters can be read now: they are events in the new tables")
    for table in done.tables:
        _print_table(table)
    if done.swapped:
        click.echo("live was swapped" + ("" if done.equal else ": the differences were accepted"))
        if done.replaced:
            click.echo(f"the old tables are in the schema {done.replaced}")
    elif done.equal:
        click.echo("live is what the log says; nothing was swapped")
    else:
        advice = "" if dry_run else ". If the log is right and live is wrong, run it again with --accept-differences"
        click.secho(f"live is not what the log says; nothing was swapped{advice}", fg="red", err=True)


def _print_table(table: Table) -> None:
    name = f"{table.table:<18}"
    if table.equal:
        click.echo(f"{name} {table.live.rows:>12,} rows  {table.live.checksum}")
        return
    said = f"live {table.live.rows:,} rows {table.live.checksum}, replay {table.replay.rows:,} {table.replay.checksum}"
    click.echo(f"{name} {click.style('differs', fg='red')}: {said}")
    for key in table.keys:
        values = ", ".join(f"{column} {value}" for column, value in key.key.items())
        click.echo(f"    {key.difference}: {values}")


def _failing() -> AbstractContextManager[None]:
    """What can be expected to fail becomes one line."""
    from ingestion.codec import RegistryUnavailable
    from ingestion.landing import LandingError
    from ingestion.projection import ProjectionError
    from ingestion.replay import ReplayError
    from outlay.cli.failing import failing

    return failing(ReplayError, LandingError, RegistryUnavailable, ProjectionError, left="live is as it was; ")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def told(stage: str, done: int, total: int) -> None:
            if total:
                bar.update(task, description=stage, completed=done, total=total)
            else:
                bar.update(task, description=stage)

        yield told
