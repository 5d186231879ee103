"""What `outlay import` says: tables and a progress bar for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ingestion.sources.delimited import Bad, DelimitedFile
from outlay import money
from outlay.ledger.imports import Imported, Survey


class Report:
    def __init__(self, path: Path, *, as_json: bool):
        self._path, self._as_json = path, as_json
        self._err = Console(stderr=True)

    def mapping(self, source: DelimitedFile) -> None:
        """Which columns are used, so that a wrong guess is seen."""
        if self._as_json:
            return
        used = ", ".join(f"{field}={column}" for field, column in source.mapping.names().items())
        click.echo(f"{self._path.name}: {used}; dates {source.date_form}, decimal mark {source.decimal_mark!r}")

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        columns = [SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        with Progress(*columns, console=self._err, transient=True, disable=not self._err.is_terminal) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    def nothing_stored(self, seen: Survey, *, dry_run: bool) -> None:
        if self._as_json:
            self._print_json(seen, dry_run=dry_run)
            return
        self._table(seen.bad)
        if seen.bad and not dry_run:
            click.echo(
                f"{seen.refused:,} of {seen.rows + seen.refused:,} rows cannot be used and nothing was stored: "
                "correct them, or say --skip-bad to store the others",
                err=True,
            )
        elif not seen.rows:
            click.echo(f"{self._path}: expected rows below the header, found none that can be used", err=True)
        else:
            click.echo(f"{seen.rows:,} rows would be imported, {seen.refused:,} refused; {_totals(seen)}")

    def stored(self, seen: Survey, done: Imported, batch: UUID, refused_to: Path | None) -> None:
        if self._as_json:
            self._print_json(seen, done=done, batch=batch, refused_to=refused_to)
            return
        self._table(seen.bad)
        click.echo(
            f"{done.inserted:,} rows inserted, {done.already_there:,} already there, {seen.refused:,} refused; "
            f"{_totals(seen)} in {done.elapsed_s:.1f} s"
        )
        if refused_to:
            click.echo(f"the refused rows are in {refused_to}")

    def _table(self, bad: list[Bad]) -> None:
        if not bad:
            return
        table = Table("line", "column", "value", "reason", title=str(self._path), title_justify="left")
        for problem in bad:
            table.add_row(str(problem.line), problem.column, ascii(problem.value)[1:-1][:60], problem.reason)
        self._err.print(table)

    def _print_json(
        self,
        seen: Survey,
        *,
        dry_run: bool = False,
        done: Imported | None = None,
        batch: UUID | None = None,
        refused_to: Path | None = None,
    ) -> None:
        document = {
            "file": str(self._path),
            "dry_run": dry_run,
            "rows": seen.rows + seen.refused,
            "inserted": done.inserted if done else 0,
            "already_there": done.already_there if done else 0,
            "refused": seen.refused,
            "totals": {code: _plain(total, code) for code, total in seen.totals.items()},
            "elapsed_s": round(done.elapsed_s, 3) if done else 0.0,
            "tenths": done.tenths if done else [],
            "import_id": str(batch) if batch else None,
            "refused_file": str(refused_to) if refused_to else None,
            "problems": [problem._asdict() | {"value": _printable(problem.value)} for problem in seen.bad],
        }
        click.echo(json.dumps(document))


def _totals(seen: Survey) -> str:
    return ", ".join(money.show(total, code) for code, total in seen.totals.items()) or "nothing"


def _plain(amount: Decimal, code: str) -> str:
    """A decimal string with at least the currency's minor units."""
    rounded = money.round_to_minor(amount, code)
    return f"{rounded if rounded == amount else amount.normalize():f}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
