"""``outlay merchants``: what the reference data knows of merchants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli import Failure
from outlay.cli.delimited import file_options, opened
from outlay.cli.options import json_option

if TYPE_CHECKING:
    from collections import Counter

    from ingestion.enrich.coverage import Coverage, Purchase
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
    which merchants it lacks most, and which rules of quarantine the rows would break. Needs no server.
    """
    from ingestion.enrich import Enricher
    from ingestion.enrich.coverage import coverage
    from ingestion.sources.delimited import UnknownColumns, UnreadableFile
    from ingestion.sources.delimited.values import AmbiguousDates
    from outlay.cli.import_report import Report
    from outlay.ledger.imports import broken_rules
    from outlay.settings import settings

    enricher = Enricher(settings().seeds)
    said = Report(file, as_json=as_json)
    try:
        source = opened(file, told=told, currency=currency, sign=sign, date_format=date_format)
        said.mapping(source)
        with said.progress("reading") as on_row:
            found = coverage(_purchases(source, on_row, ignore_categories=ignore_categories), enricher)
        broken = broken_rules(source, enricher)
    except (UnreadableFile, UnknownColumns, AmbiguousDates) as error:
        raise Failure(str(error)) from error
    if as_json:
        click.echo(json.dumps(_as_json(found, broken, top)))
    else:
        _print(found, broken, top)


def _purchases(source: DelimitedFile, on_row: Callable[[int], None], *, ignore_categories: bool) -> Iterator[Purchase]:
    from ingestion.enrich.coverage import Purchase
    from ingestion.sources.delimited import Refused

    for number, row in enumerate(source.rows(), start=1):
        if not isinstance(row, Refused):
            yield Purchase(row.merchant, row.mcc, row.category is not None and not ignore_categories)
        if number % 2_000 == 0:
            on_row(number)


def _as_json(found: Coverage, broken: Counter[str], top: int) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "texts": found.texts,
        "merchants": found.merchants,
        "rows_of_known_merchants": found.rows_of_known_merchants,
        "categories": dict(found.categories.most_common()),
        "broken_rules": dict(broken),
        "unmatched": [
            {"merchant": name, "rows": rows, "example": found.examples[name]}
            for name, rows in found.unmatched.most_common(top)
        ],
    }


def _print(found: Coverage, broken: Counter[str], top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ingestion.dead_letters.dump import printable

    if not found.rows:
        click.echo("no row can be read: `outlay import --dry-run` says why")
        return
    unknown = 1 - found.rows_of_known_merchants / found.rows
    click.echo(f"{found.rows:,} rows, {found.texts:,} descriptors, {found.merchants:,} merchants")
    click.echo(f"{unknown:.1%} of the rows are of a merchant that seeds/merchants.csv does not have")
    shares = (f"{source} {rows / found.rows:.1%}" for source, rows in found.categories.most_common())
    click.echo(f"categories by {', '.join(shares)}")
    rules = ", ".join(f"{count:,} by {rule}" for rule, count in broken.items()) or "none"
    click.echo(f"rows that quarantine would hold: {rules}")
    if top and found.unmatched:
        table = Table("unmatched merchant", "such as")
        table.add_column("rows", justify="right")
        for name, rows in found.unmatched.most_common(top):
            table.add_row(Text(printable(name)), Text(printable(found.examples[name])), f"{rows:,}")
        Console().print(table)
