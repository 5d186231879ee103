"""``outlay rates``: exchange rates loaded from the bank's files, and shown as they are held."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from outlay.cli import Failure
from outlay.cli.options import json_option
from outlay.settings import settings

if TYPE_CHECKING:
    import psycopg

    from ingestion.rates import Held, Loaded


@click.group(epilog="Example: outlay rates show USD --on 2026-10-30")
def rates() -> None:
    """Load exchange rates against the euro, and show which are held."""


@rates.command(epilog="Example: outlay rates load eurofxref-hist.zip --dry-run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Compare with what is held, and store nothing.")
@json_option
def load(file: Path, dry_run: bool, as_json: bool) -> None:
    """Load a file of the European Central Bank's reference rates: the history or the daily one, plain or as .zip.

    What is held already is left alone, so any file may be loaded at any time, and again.
    """
    from ingestion.rates import load as bring
    from outlay.db import session

    content = _read(file)
    with _failing(), session("pipeline", autocommit=True) as connection:
        done = bring(connection, settings().lake, content, file.name, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps({"file": file.name, "dry_run": dry_run, **asdict(done)}, default=str))
    else:
        click.echo(f"{file.name}: {_said(done, dry_run=dry_run)}")


@rates.command(epilog="Example: outlay rates show; outlay rates show USD --on 2026-10-30 --json | jq -r .per_eur")
@click.argument("currency", required=False)
@click.option(
    "--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="In use on this day.  [default: today in UTC]"
)
@json_option
def show(currency: str | None, on: datetime | None, as_json: bool) -> None:
    """Show which rates are held, or the one of a CURRENCY that is in use on a day: units of it for one euro.

    In use is the rate of the day itself, or else the last of at most seven days before.
    """
    from outlay.db import session

    if currency is None and on is not None:
        raise click.UsageError("--on goes with a CURRENCY, such as USD")
    with _failing(), session("pipeline", autocommit=True) as connection:
        if currency is None:
            from ingestion.rates import held

            _print_held(held(connection), as_json=as_json)
        else:
            day = on.date() if on else datetime.now(UTC).date()
            _show_one(connection, currency.upper(), day, as_json=as_json)


def _read(file: Path) -> bytes:
    """The file's bytes; of one that is far too large, as many as are needed to see that."""
    from ingestion.sources.ecb import LARGEST

    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from error


def _said(done: Loaded, *, dry_run: bool) -> str:
    if dry_run:
        then = "nothing was stored"
    elif done.batch_id is None:
        then = "silver held them all"
    else:
        then = "`outlay build` brings them to gold"
    return (
        f"{done.rates:,} rates of {done.currencies} currencies, {done.first_day} to {done.last_day}:"
        f" {done.new:,} new, {done.changed:,} changed; {then}"
    )


def _print_held(found: list[Held], *, as_json: bool) -> None:
    if as_json:
        currencies = [{**currency._asdict(), "per_eur": _figure(currency.per_eur)} for currency in found]
        click.echo(json.dumps({"currencies": currencies}, default=str))
    elif not found:
        click.echo("no rate is held: `outlay build` loads those that come with Outlay, `outlay rates load` a file")
    else:
        click.echo(f"{'':<4}{'from':<12}{'to':<12}for one euro then")
        for currency in found:
            click.echo(
                f"{currency.currency:<4}{currency.first_day!s:<12}{currency.last_day!s:<12}{_figure(currency.per_eur)}"
            )


def _show_one(connection: psycopg.Connection, currency: str, on: date, *, as_json: bool) -> None:
    from ingestion.rates import held, in_use

    rate = in_use(connection, currency, on)
    if rate is None:
        raise Failure(_none(currency, on, {known.currency: known for known in held(connection)}))
    if as_json:
        said = {"currency": currency, "on": on, "rate_on": rate.rate_on, "per_eur": _figure(rate.per_eur)}
        click.echo(json.dumps(said, default=str))
    else:
        of = "" if rate.rate_on == on else f", the rate of {rate.rate_on}"
        click.echo(f"{on}: {_figure(rate.per_eur)} {currency} for one euro{of}")


def _none(currency: str, on: date, known: dict[str, Held]) -> str:
    """Why there is no rate to use, and what to do."""
    if currency in known:
        there = f"of {currency}, for {on} or the seven days before; held are"
        there += f" those from {known[currency].first_day} to {known[currency].last_day}"
    else:
        there = f"of {currency!r}; held are those of {', '.join(known) or 'no currency'}"
    return f"no rate is held {there}: `outlay rates load` brings in a file with it"


def _figure(per_eur: Decimal) -> str:
    """As the bank writes it: without the zeros that end numeric(24,12)."""
    return f"{per_eur.normalize():f}"


def _failing() -> AbstractContextManager[None]:
    """What can be expected to fail becomes one line."""
    from ingestion.landing.errors import LakeUnavailable
    from ingestion.sources.ecb import UnreadableRates
    from outlay.cli.failing import failing

    return failing(UnreadableRates, LakeUnavailable)
