"""What became of several places that somebody decided on."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from ingestion.dead_letters.dump import printable
from ingestion.place import Place


def report(outcomes: Mapping[Place, str | bool], done: str, *, as_json: bool) -> int:
    """Say it, and return the exit code: 1 if any was refused.

    Args:
        outcomes: place -> whether it was marked just now, or why it was not.
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
