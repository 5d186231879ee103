"""``outlay quarantine``: what silver set aside, looked at, corrected and released."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

import click

from ingestion.place import Place
from ingestion.rules import NAMES
from outlay.cli.decided import each, report
from outlay.cli.options import PLACE, by_option, json_option, topic_option

if TYPE_CHECKING:
    from outlay.ledger.commands import Answer
    from outlay.ledger.quarantine import Quarantined

_STATES = ("open", "released", "replaced", "unseen", "all")


@click.group(epilog="Example: outlay quarantine list --rule date_plausible")
def quarantine() -> None:
    """Look at the events that silver set aside because they break a rule, correct them, or let them pass.

    A PLACE is topic/partition@offset, as `list` prints it, such as transaction/3@42.
    """


@quarantine.command("list", epilog="Example: outlay quarantine list --state all --json | jq .events[0]")
@topic_option
@click.option("--rule", type=click.Choice(sorted({*NAMES, "entity_known"})), help="Only events that break this rule.")
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most this many.")
@json_option
def list_(topic: str | None, rule: str | None, state: str, limit: int, as_json: bool) -> None:
    """List them, newest first, and how many are open.

    Open: live stands on the event, gold goes without. Replaced: a newer version came, or the event never counted.
    Unseen: live does not hold it.
    """
    from outlay.cli import quarantine_report as report
    from outlay.db import session
    from outlay.ledger.quarantine import counts, listed

    with _failing(), session("pipeline") as connection:
        found = listed(connection, topic=topic, rule=rule, state=None if state == "all" else state, limit=limit)
        report.listed(found, counts(connection), as_json=as_json)


@quarantine.command(epilog="Example: outlay quarantine show transaction/3@42")
@click.argument("place", type=PLACE)
@json_option
def show(place: Place, as_json: bool) -> None:
    """Show one: the rules that it breaks, the whole event, and what became of it."""
    from outlay.cli import quarantine_report as report
    from outlay.db import session
    from outlay.ledger.quarantine import find

    with _failing(), session("pipeline") as connection:
        report.one(find(connection, place), as_json=as_json)


@quarantine.command(epilog="Example: outlay quarantine correct transaction/3@42 --set occurred_on=2026-05-02")
@click.argument("place", type=PLACE)
@click.option(
    "--set",
    "given",
    multiple=True,
    required=True,
    metavar="FIELD=VALUE",
    help="A field as it should be; nothing after = empties it. tags are a,b and lines are JSON. May be given again.",
)
@json_option
def correct(place: Place, given: tuple[str, ...], as_json: bool) -> None:
    """Change the transaction, as anybody would in the app: its next version has these fields, and gold takes that.

    The event itself stays in quarantine, as it came. What would break a rule still is refused.
    """
    from outlay.api.changes import NotChanges, changes_of
    from outlay.db import session
    from outlay.ledger.commands import KafkaUnavailable, Ledger, NotFound, Refused
    from outlay.ledger.quarantine import NotCorrectable, find
    from outlay.ledger.quarantine import correct as amend

    try:
        changes = changes_of(given)
    except NotChanges as error:
        raise click.UsageError(f"--set: {error}") from None
    with _failing(NotCorrectable, Refused, NotFound, KafkaUnavailable):
        with session("pipeline") as connection:
            held = find(connection, place)
        with Ledger() as ledger:
            answer = amend(ledger, held, changes)
    _say_corrected(held, answer, as_json=as_json)


@quarantine.command(epilog='Example: outlay quarantine release transaction/3@42 --reason "paid a year ahead"')
@click.argument("places", type=PLACE, nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why they are right as they are.")
@by_option
@json_option
@click.pass_context
def release(ctx: click.Context, places: tuple[Place, ...], reason: str, by: str, as_json: bool) -> None:
    """Let events pass as they are: the next build brings them to gold, and so does any rebuild.

    Only rules that say what is likely can be waived, such as the length of a text or how far ahead a date may be.

    Exits with 1 if any was refused.
    """
    from outlay.db import session
    from outlay.ledger import quarantine as held

    if not reason.strip():
        raise click.UsageError("--reason: expected why they are right as they are, got nothing")
    with _failing(), session("pipeline", autocommit=True) as connection:
        release_one = partial(held.release, connection, by=by, reason=reason)
        outcomes = each(places, release_one, refusing=(held.NotQuarantined, held.NotReleasable))
    ctx.exit(report(outcomes, "released", as_json=as_json))


def _say_corrected(held: Quarantined, answer: Answer, *, as_json: bool) -> None:
    if as_json:
        at = str(Place(answer.topic, answer.partition, answer.offset))
        click.echo(
            json.dumps({"place": str(held.place), "decision": answer.decision, "version": answer.version, "at": at})
        )
    else:
        waits = "; live has yet to read it" if answer.decision == "pending" else ""
        click.echo(f"{held.place} corrected by version {answer.version}{waits}; `outlay build` brings it to gold")


def _failing(*expected: type[Exception]) -> AbstractContextManager[None]:
    """What can be expected to fail becomes one line."""
    from outlay.cli.failing import failing
    from outlay.ledger.quarantine import NotQuarantined

    return failing(NotQuarantined, *expected)
