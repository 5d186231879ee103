"""What `outlay merchants` says: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.dead_letters.dump import printable
from ingestion.enrich.coverage import Coverage
from outlay.cli import amending
from outlay.ledger.commands import Appended
from outlay.ledger.redecide import Preview


def covered(found: Coverage, top: int, *, as_json: bool) -> None:
    """What the tables know of a file's purchases."""
    if as_json:
        click.echo(json.dumps(_coverage_as_json(found, top)))
        return
    if found.refused:
        click.echo(f"{found.refused:,} rows cannot be used and are left out: `outlay import --dry-run` says why")
    if not found.rows:
        click.echo("no row is left")
        return
    unknown = found.unmatched.total() / found.rows
    click.echo(f"{found.rows:,} rows, {found.texts:,} descriptors, {found.merchants:,} merchants")
    click.echo(f"{unknown:.1%} of the rows are of a merchant that seeds/merchants.csv does not have")
    shares = (f"{source} {rows / found.rows:.1%}" for source, rows in found.categories.most_common())
    click.echo(f"categories by {', '.join(shares)}")
    if top and found.unmatched:
        table = Table("unmatched merchant", "such as")
        table.add_column("rows", justify="right")
        for name, rows in found.unmatched.most_common(top):
            table.add_row(Text(printable(name)), Text(printable(found.examples[name])), f"{rows:,}")
        Console().print(table)


def _coverage_as_json(found: Coverage, top: int) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "refused": found.refused,
        "texts": found.texts,
        "merchants": found.merchants,
        "rows_of_unmatched_merchants": found.unmatched.total(),
        "categories": dict(found.categories.most_common()),
        "unmatched": [
            {"merchant": name, "rows": rows, "example": found.examples[name]}
            for name, rows in found.unmatched.most_common(top)
        ],
    }


def redecided(found: Preview, done: Appended | None, top: int, *, as_json: bool) -> None:
    """`done`: what was appended; None of a preview."""
    if as_json:
        changes = {"categories": _pairs(found.categories, top), "merchants": _pairs(found.merchants, top)}
        click.echo(json.dumps(amending.as_json(found, done, **changes)))
        return
    for title, changes in (("category", found.categories), ("merchant", found.merchants)):
        if changes and top:
            Console().print(_table(title, changes, top))
    amending.said(found, done)


def _pairs(changes: Counter[tuple[str | None, str | None]], top: int) -> list[dict[str, Any]]:
    return [{"from": before, "to": after, "transactions": n} for (before, after), n in changes.most_common(top)]


def _table(title: str, changes: Counter[tuple[str | None, str | None]], top: int) -> Table:
    table = Table(f"{title} now", "by the tables")
    table.add_column("transactions", justify="right")
    for (before, after), count in changes.most_common(top):
        table.add_row(Text(printable(before or "none")), Text(printable(after or "none")), f"{count:,}")
    return table
