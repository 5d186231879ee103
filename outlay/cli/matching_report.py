"""What `outlay match` says: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.dead_letters.dump import printable
from outlay import money
from outlay.cli import amending
from outlay.ledger.commands import Appended
from outlay.ledger.linking import Preview, State
from outlay.ledger.undoing import Undone

_WHAT = {"transfer": "transfer", "half": "transfer, second half", "refund": "refund"}
_LEFT = {
    "transfers": "may be half of several transfers, or as well a refund",
    "refunds": "refunds may pay back several purchases",
    "halves": "name another half that does not name them and does not fit",
}


def begun(run: UUID) -> None:
    """Before anything is changed, so that a run that ends early can be undone."""
    click.echo(f"run {run}", err=True)


def linked(found: Preview, done: Appended | None, run: UUID, *, as_json: bool) -> None:
    """`done`: what was appended; None of a preview."""
    left = {"transfers": found.transfers_left, "refunds": found.refunds_left, "halves": found.halves_left}
    if as_json:
        own = {
            "links": {what: found.links[what] for what in _WHAT},
            "left": left,
            "examples": [_as_json(*example) for example in found.examples],
            "run": str(run) if done else None,
        }
        click.echo(json.dumps(amending.as_json(found, done, **own)))
        return
    if found.examples:
        Console().print(_table(found.examples))
    for why, count in left.items():
        if count:
            click.echo(f"{count:,} {_LEFT[why]}: left")
    amending.said(found, done)
    _may_be_undone(done, run)


def undone(found: Undone, done: Appended, run: UUID, *, as_json: bool) -> None:
    if as_json:
        own = {"changed_since": found.changed_since, "run": str(run)}
        click.echo(json.dumps(amending.as_json(found, done, **own)))
        return
    if found.changed_since:
        click.echo(f"{found.changed_since:,} were changed by somebody since: left")
    amending.said(found, done)
    _may_be_undone(done, run)


def _may_be_undone(done: Appended | None, run: UUID) -> None:
    if done and done.inserted:
        click.echo(f"`outlay match --undo {run}` gives back what was changed")


def _table(examples: list[tuple[str, State, State]]) -> Table:
    table = Table("day", "what", "transaction", "belongs to")
    table.add_column("amount", justify="right")
    for what, one, other in examples:
        amount = money.show(abs(one["amount"]), one["currency"])
        table.add_row(str(one["occurred_on"]), _WHAT[what], _text(one), _text(other), amount)
    return table


def _text(state: State) -> Text:
    return Text(printable(state["description"] or state["merchant"] or str(state["transaction_id"])))


def _as_json(what: str, one: State, other: State) -> dict[str, Any]:
    ids = {"transaction_id": str(one["transaction_id"]), "belongs_to": str(other["transaction_id"])}
    return {"what": what, **ids, "amount": str(abs(one["amount"])), "currency": one["currency"]}
