"""``outlay bronze``: the lake and its manifest, compared and rebuilt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import click

from ingestion.contracts import TOPICS
from outlay.cli.options import json_option
from outlay.settings import settings

if TYPE_CHECKING:
    from ingestion.landing.audit import Audit
    from ingestion.landing.rebuild import Rebuilt


@click.group(epilog="Example: outlay bronze audit")
def bronze() -> None:
    """Look after the files in the lake and the manifest that names them."""


@bronze.command(epilog="Example: outlay bronze audit --json | jq '.findings[].message'")
@click.option("--topic", type=click.Choice(TOPICS), help="Look at this topic alone.")
@json_option
@click.pass_context
def audit(ctx: click.Context, topic: str | None, as_json: bool) -> None:
    """Read every file that the manifest names, and say what does not agree. Changes nothing.

    Exits with 0 if bronze is what it should be, with 1 if not. Files that nobody names are listed, and are not wrong.
    """
    from ingestion.landing.audit import audit as compare
    from outlay.db import session

    here = settings()
    with _failing(), _progress("auditing") as on_file, session("pipeline", autocommit=True) as connection:
        found = compare(
            connection, here.lake, bootstrap=here.bootstrap, topics=[topic] if topic else None, on_file=on_file
        )
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        _print_audit(found)
    ctx.exit(0 if found.good else 1)


@bronze.command("rebuild-manifest", epilog="Example: outlay bronze rebuild-manifest --dry-run")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be changed.")
@json_option
def rebuild_manifest(dry_run: bool, as_json: bool) -> None:
    """Make bronze.files and bronze.offsets again from the files in the lake.

    Changes nothing where the manifest agrees already. The next landing goes on where the files end.
    """
    from ingestion.landing.rebuild import rebuild
    from outlay.db import session

    with _failing(), _progress("reading") as on_file, session("pipeline", autocommit=True) as connection:
        done = rebuild(connection, settings().lake, dry_run=dry_run, on_file=on_file)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **done.as_json()}))
    else:
        _print_rebuilt(done, dry_run=dry_run)


def _print_audit(found: Audit) -> None:
    for finding in found.findings:
        colour = "red" if finding.wrong else "yellow"
        click.echo(f"{click.style(finding.problem, fg=colour)}: {finding.message}")
    wrong = sum(finding.wrong for finding in found.findings)
    click.echo(
        f"{found.files:,} files with {found.rows:,} rows, {found.bytes / 1e6:,.1f} MB: "
        + (f"{wrong} wrong" if wrong else "all as the manifest says")
        + (f", {len(found.findings) - wrong} files that nobody names" if len(found.findings) > wrong else "")
    )


def _print_rebuilt(done: Rebuilt, *, dry_run: bool) -> None:
    for path, reason in done.left_out.items():
        click.echo(f"left out {path}: {reason}")
    for what in ("added", "corrected", "dropped"):
        for path in getattr(done, what):
            click.echo(f"{what} {path}")
    for partition, (before, after) in done.offsets.items():
        click.echo(f"offset of {partition}: {_offset(before)} -> {_offset(after)}")
    for gap in done.gaps:
        click.echo(f"no file holds {gap}: `outlay bronze audit` asks Kafka whether they are events")
    if not done.changed:
        click.echo(f"the manifest agrees with the lake already: {done.files:,} files, {done.rows:,} rows")
    else:
        said = "would name" if dry_run else "names"
        click.echo(f"the manifest {said} {done.files:,} files, {done.rows:,} rows")


def _offset(offset: int | None) -> str:
    return "none" if offset is None else str(offset)


def _failing() -> AbstractContextManager[None]:
    """What can be expected to fail becomes one line."""
    from ingestion.landing import LandingError
    from outlay.cli.failing import failing

    return failing(LandingError)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; the function takes how many files are done, and of how many."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
