"""`outlay import`: a delimited file into the ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from outlay.cli import Failure
from outlay.cli.delimited import file_options, opened
from outlay.cli.interrupted import interruptible

if TYPE_CHECKING:
    from ingestion.sources.delimited import DelimitedFile
    from outlay.cli.import_report import Report
    from outlay.ledger.imports import Imported, Survey


@click.command("import")
@file_options
@click.option("--workspace", default="Personal", show_default=True, help="Made if there is none of that name.")
@click.option("--account", default="Imported", show_default=True, help="Made if there is none of that name.")
@click.option("--dry-run", is_flag=True, help="Look at every row and store nothing.")
@click.option("--skip-bad", is_flag=True, help="Store the good rows, and keep the others in a file beside.")
@click.option("--json", "as_json", is_flag=True, help="Print the result for programs.")
def import_(
    file: Path,
    told: dict[str, str],
    currency: str | None,
    workspace: str,
    account: str,
    sign: str,
    date_format: str | None,
    dry_run: bool,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Import a CSV file, plain or gzip. Importing it again adds nothing.

    \b
    Examples:
        outlay import statement.csv --currency EUR
        outlay import cards.csv.gz --map date=Day,merchant=Shop,amount=Paid --currency CAD --dry-run
    """
    from ingestion.sources.delimited import UnknownColumns, UnreadableFile
    from ingestion.sources.delimited.values import AmbiguousDates
    from outlay.cli.import_report import Report
    from outlay.ledger import imports
    from outlay.ledger.commands import KafkaUnavailable, LiveStalled, Refused
    from outlay.settings import settings

    report = Report(file, as_json=as_json)
    try:
        with interruptible("what was stored stays"):
            source = opened(file, told=told, currency=currency, sign=sign, date_format=date_format)
            report.mapping(source)
            batch = imports.import_id(file, workspace, account)
            refused_to = settings().home / "imports" / f"{batch}.refused.csv" if skip_bad and not dry_run else None
            with report.progress("checking") as on_row:
                seen = imports.survey(source, refused_to=refused_to, on_row=on_row)
            if dry_run or (seen.bad and not skip_bad) or not seen.rows:
                report.nothing_stored(seen, dry_run=dry_run)
                sys.exit(1 if seen.bad or not seen.rows else 0)
            done = _store(report, source, seen, workspace, account, currency, batch)
            report.stored(seen, done, batch, refused_to if seen.bad else None)
    except (UnreadableFile, UnknownColumns, AmbiguousDates) as error:
        raise Failure(str(error)) from error
    except (KafkaUnavailable, LiveStalled, Refused) as error:
        raise Failure(f"{error}; what was stored stays: run the same command again to continue") from error


def _store(
    report: Report,
    source: DelimitedFile,
    seen: Survey,
    workspace: str,
    account: str,
    currency: str | None,
    batch: UUID,
) -> Imported:
    from ingestion.enrich import Enricher
    from outlay.ledger import imports
    from outlay.ledger.commands import Ledger
    from outlay.ledger.workspaces import ensure_account, ensure_workspace
    from outlay.settings import settings

    enricher = Enricher(settings().seeds)
    base = (currency or max(seen.totals, key=lambda code: abs(seen.totals[code]))).upper()
    with Ledger() as ledger:
        household = ensure_workspace(ledger, name=workspace, currency=base)
        into = ensure_account(ledger, household, name=account, currency=base, type="card")
        to = imports.destination(ledger, enricher, household, into, seen.categories)
        with report.progress("importing", total=seen.rows) as on_row:
            return imports.store(ledger, source, to, enricher, batch=batch, rows=seen.rows, on_row=on_row)
