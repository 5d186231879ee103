"""What verbs share that amend what is recorded: which workspaces, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from outlay.cli import Failure

if TYPE_CHECKING:
    from outlay.ledger.amendments import Preview
    from outlay.ledger.commands import Appended, Progress
    from outlay.ledger.workspaces import Workspace

workspace_option = click.option("--workspace", metavar="NAME", help="Only this one.  [default: every workspace]")
apply_option = click.option(
    "--apply", "applied", is_flag=True, help="Append the changes. Without it, nothing is changed."
)
top_option = click.option(
    "--top", type=click.IntRange(0, 1_000), default=20, show_default=True, help="How many changes to list."
)


def chosen(workspace: str | None) -> list[Workspace]:
    """The workspaces of that name or id; all of them without one.

    Raises:
        Failure: there is none.
    """
    from outlay.ledger.workspaces import all_workspaces, named

    found = all_workspaces() if workspace is None else named(workspace)
    if workspace is not None and not found:
        raise Failure(f"no workspace is named {workspace!r}: `outlay status` and the pages show which there are")
    return found


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """How many changes live has decided on; on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = [SpinnerColumn(), TextColumn("{task.completed:,.0f} changed")]
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda moved: bar.update(task, completed=moved.decided + moved.already_there)


def said(found: Preview, done: Appended | None) -> None:
    """`done`: what was appended; None of a preview."""
    if found.set_aside:
        click.echo(f"{found.set_aside:,} would change and break a rule: see `outlay quarantine list`")
    if done is None:
        then = "; --apply changes them" if found.would_change else ""
        click.echo(f"{found.would_change:,} of {found.looked_at:,} transactions would change{then}")
    else:
        lost = f", {done.stale:,} were changed by somebody else meanwhile" if done.stale else ""
        click.echo(
            f"{done.inserted:,} of {found.looked_at:,} transactions changed{lost}; `outlay build` takes it to gold"
        )


def as_json(found: Preview, done: Appended | None, **own: Any) -> dict[str, Any]:
    """The same for programs, with what the verb says of its `own`."""
    return {
        "looked_at": found.looked_at,
        "would_change": found.would_change,
        "set_aside": found.set_aside,
        **own,
        "changed": done and done.inserted,
        "stale": done and done.stale,
    }
