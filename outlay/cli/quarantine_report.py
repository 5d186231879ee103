"""What `outlay quarantine` says: a table for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.dead_letters.dump import printable
from outlay.ledger.quarantine import Quarantined


def listed(found: Sequence[Quarantined], waiting: Mapping[str, int], *, as_json: bool) -> None:
    """The list, and how many are open by rule."""
    if as_json:
        click.echo(json.dumps({"events": [_as_json(held) for held in found], "open": waiting}))
        return
    if found:
        table = Table()
        for column in ("place", "state", "since", "rule"):
            table.add_column(column, no_wrap=True)
        table.add_column("what is wrong", overflow="fold", ratio=1)
        for held in found:
            rules, details = zip(*held.broken, strict=True)
            since = f"{held.quarantined_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(str(held.place), held.state, since, "\n".join(rules), Text(printable("; ".join(details))))
        Console().print(table)
    said = ", ".join(f"{count:,} by {rule}" for rule, count in waiting.items()) or "none"
    click.echo(f"{len(found):,} shown; open: {said}")


def one(held: Quarantined, *, as_json: bool) -> None:
    """Everything about one."""
    if as_json:
        click.echo(json.dumps(_as_json(held) | {"event": held.event}))
        return
    lines = [
        ("place", f"{held.place} of topic id {held.topic_id}"),
        ("state", held.state),
        *(("breaks", f"{broken.rule}: {broken.detail}") for broken in held.broken),
        ("since", f"{held.quarantined_at.isoformat()}, in batch {held.batch_id}"),
    ]
    if given := held.release:
        done = f"published in batch {given.in_batch}" if given.in_batch else "the next build publishes it"
        lines.append(("released", f"by {given.by} at {given.at.isoformat()}: {given.reason}; {done}"))
    for name, text in lines:
        click.echo(f"{name:<10} {printable(text)}")
    click.echo(json.dumps(held.event, indent=2))  # escapes all but ASCII: nothing in it moves the terminal


def _as_json(held: Quarantined) -> dict[str, Any]:
    given = held.release
    return {
        "place": str(held.place),
        **held.place._asdict(),
        "topic_id": held.topic_id,
        "state": held.state,
        "broken": [broken._asdict() for broken in held.broken],
        "workspace_id": str(held.workspace_id),
        "entity_id": held.entity_id and str(held.entity_id),
        "event_id": held.event_id and str(held.event_id),
        "version": held.version,
        "batch_id": held.batch_id,
        "quarantined_at": held.quarantined_at.isoformat(),
        "release": given
        and {"at": given.at.isoformat(), "by": given.by, "reason": given.reason, "in_batch": given.in_batch},
    }
