"""``outlay match``: which transactions belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli import Failure
from outlay.cli.amending import apply_option, chosen, progress, top_option, workspace_option
from outlay.cli.options import json_option

if TYPE_CHECKING:
    from uuid import UUID


@click.command(epilog="Example: outlay match; outlay match --apply; outlay match --undo RUN")
@workspace_option
@apply_option
@click.option("--undo", "undone", type=click.UUID, metavar="RUN", help="Give back what a run of --apply changed.")
@top_option
@json_option
def match(workspace: str | None, applied: bool, undone: UUID | None, top: int, as_json: bool) -> None:
    """Say which transactions are transfers between own accounts, and what refunds pay back; with --apply, link them.

    Transfers that are paired count as spending no more. Only what has one reading is linked, the rest is counted. Each
    change is an amendment: the history shows it, and gold takes it with the next build.
    """
    from ingestion.enrich import Enricher
    from ingestion.events import new_id
    from outlay.cli import matching_report as report
    from outlay.cli.failing import failing
    from outlay.cli.interrupted import interruptible
    from outlay.ledger import linking, undoing
    from outlay.ledger.commands import KafkaUnavailable, Ledger, LiveStalled, Refused
    from outlay.settings import settings

    if applied and undone:
        raise click.UsageError("--apply and --undo are two things: give one of them")
    run, done = new_id(), None
    with interruptible("what was changed stays"), failing(KafkaUnavailable, LiveStalled, Refused):
        workspaces = chosen(workspace)
        if applied or undone:
            report.begun(run)
            with Ledger() as ledger, progress() as on_progress:
                if undone:
                    back, done = undoing.undo(ledger, workspaces, undone, by_run=run, on_progress=on_progress)
                else:
                    enricher = Enricher(settings().seeds)
                    found, done = linking.apply(ledger, workspaces, enricher, run, top=top, on_progress=on_progress)
        else:
            found = linking.preview(workspaces, Enricher(settings().seeds), top=top)
    if not undone:
        report.linked(found, done, run, as_json=as_json)
    elif back.looked_at:
        report.undone(back, done, run, as_json=as_json)
    else:
        raise Failure(f"no transaction was changed by a run {undone}: `outlay match --apply` prints each run's id")
