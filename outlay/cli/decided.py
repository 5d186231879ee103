"""What became of several places that somebody decided on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

import click

from ingestion.dead_letters.dump import printable
from ingestion.place import Place

Outcome = str | bool
"""Whether a place was marked just now, or why it was not."""


def each(
    places: Iterable[Place], decide: Callable[[Place], bool], *, refusing: tuple[type[Exception], ...]
) -> dict[Place, Outcome]:
    """Decide on every place, whatever becomes of the others.

    Args:
        decide: marks a place; False where it was marked before.
        refusing: what it raises where it cannot be.
    """
    outcomes: dict[Place, Outcome] = {}
    for place in places:
        try:
            outcomes[place] = decide(place)
        except refusing as error:
            outcomes[place] = str(error)
    return outcomes


def report(outcomes: Mapping[Place, Outcome], done: str, *, as_json: bool) -> int:
    """Say it, and return the exit code: 1 if any was refused.

    Args:
        outcomes: of `each`.
        done: what was done, such as ``discarded``.
    """
    refused = {str(place): why for place, why in outcomes.items() if isinstance(why, str)}
    marked = [str(place) for place, new in outcomes.items() if new is True]
    before = [str(place) for place, new in outcomes.items() if new is False]
    if as_json:
        reasons = [{"place": place, "reason": why} for place, why in refused.items()]
        click.echo(json.dumps({done: marked, f"{done}_before": before, "refused": reasons}))
    else:
        for place, why in refused.items():
            click.echo(f"{place}: {printable(why)}", err=True)
        click.echo(f"{len(marked):,} {done}, {len(before):,} {done} before, {len(refused):,} refused")
    return 1 if refused else 0
