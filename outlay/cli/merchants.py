"""``outlay merchants``: what the reference data knows of merchants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from outlay.cli import Failure
from outlay.cli.amending import apply_option, chosen, progress, top_option, workspace_option
from outlay.cli.delimited import file_options, opened
from outlay.cli.options import json_option

if TYPE_CHECKING:
    from ingestion.enrich.coverage import Purchase
    from ingestion.sources.delimited import DelimitedFile


@click.group(epilog="Example: outlay merchants report cards.csv.gz --currency CAD")
def merchants() -> None:
    """See how purchases become merchants and categories by the tables in seeds/."""


@merchants.command(epilog="Example: outlay merchants report cards.csv.gz --map date=Day,merchant=Shop,amount=Paid")
@file_options
@click.option("--top", type=click.IntRange(0, 1_000), default=20, show_default=True, help="How many unmatched to list.")
@click.option("--ignore-categories", is_flag=True, help="As if the file itself named no categories.")
@json_option
def report(
    file: Path,
    told: dict[str, str],
    currency: str | None,
    sign: str,
    date_format: str | None,
    top: int,
    ignore_categories: bool,
    as_json: bool,
) -> None:
    """Read a file as `outlay import` does, store nothing, and say what the tables in seeds/ make of it.

    Merchants after normalisation, how many rows are of one that seeds/merchants.csv has, where categories come from,
    and which merchants it lacks most. Needs no server.
    """
    from ingestion.enrich import Enricher
    from ingestion.enrich.coverage import coverage
    from ingestion.sources.delimited import UnknownColumns, UnreadableFile
    from ingestion.sources.delimited.values import AmbiguousDates
    from outlay.cli import merchants_report
    from outlay.cli.import_report import Report
    from outlay.settings import settings

    enricher = Enricher(settings().seeds)
    said = Report(file, as_json=as_json)
    try:
        source = opened(file, told=told, currency=currency, sign=sign, date_format=date_format)
        said.mapping(source)
        with said.progress("reading") as on_row:
            found = coverage(_purchases(source, on_row, ignore_categories=ignore_categories), enricher)
    except (UnreadableFile, UnknownColumns, AmbiguousDates) as error:
        raise Failure(str(error)) from error
    merchants_report.covered(found, top, as_json=as_json)


@merchants.command(epilog="Example: outlay merchants redecide; outlay merchants redecide --apply")
@workspace_option
@apply_option
@top_option
@json_option
def redecide(workspace: str | None, applied: bool, top: int, as_json: bool) -> None:
    """Say what today's tables in seeds/ would decide another way of what is recorded; with --apply, change it.

    What a person or a file chose stays. Each change is an amendment: the history shows it, and gold takes it with the
    next build.
    """
    from ingestion.enrich import Enricher
    from outlay.cli import merchants_report
    from outlay.cli.failing import failing
    from outlay.cli.interrupted import interruptible
    from outlay.ledger import redecide as tables
    from outlay.ledger.commands import KafkaUnavailable, Ledger, LiveStalled, Refused
    from outlay.settings import settings

    enricher = Enricher(settings().seeds)
    done = None
    with interruptible("what was changed stays"), failing(KafkaUnavailable, LiveStalled, Refused):
        workspaces = chosen(workspace)
        if applied:
            with Ledger() as ledger, progress() as on_progress:
                found, done = tables.apply(ledger, workspaces, enricher, on_progress=on_progress)
        else:
            found = tables.preview(workspaces, enricher)
    merchants_report.redecided(found, done, top, as_json=as_json)


def _purchases(
    source: DelimitedFile, on_row: Callable[[int], None], *, ignore_categories: bool
) -> Iterator[Purchase | None]:
    from ingestion.enrich.coverage import Purchase
    from ingestion.sources.delimited import Refused

    for number, row in enumerate(source.rows(), start=1):
        if isinstance(row, Refused):
            yield None
        else:
            yield Purchase(row.merchant, row.mcc, row.category is not None and not ignore_categories)
        if number % 2_000 == 0:
            on_row(number)
