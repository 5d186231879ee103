"""What `outlay dead-letters` says: tables and a progress bar for people, one JSON document for programs."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from ingestion.dead_letters.dump import dump, printable, text_of
from ingestion.dead_letters.inspection import Inspection
from ingestion.dead_letters.letters import Summary
from ingestion.dead_letters.retry import Fate, Retried
from ingestion.place import Place

_DUMPED = 1_024  # bytes of a message that are shown


def letters(found: Sequence[Summary], waiting: Mapping[str, int], *, as_json: bool) -> None:
    """The list, and how many are open by topic."""
    if as_json:
        click.echo(json.dumps({"letters": [_as_json(letter) for letter in found], "open": waiting}))
        return
    if found:
        table = Table()
        for column in ("place", "state", "since"):
            table.add_column(column, no_wrap=True)
        table.add_column("bytes", justify="right")
        table.add_column("reason", overflow="fold", ratio=1)
        for letter in found:
            size = "null" if letter.size is None else f"{letter.size:,}"
            since = f"{letter.created_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(str(letter.place), letter.state, since, size, Text(printable(letter.reason)))
        Console().print(table)
    said = ", ".join(f"{count:,} of {topic}" for topic, count in waiting.items()) or "none"
    click.echo(f"{len(found):,} shown; open: {said}")


def letter(found: Inspection, raw: Path | None, *, as_json: bool) -> None:
    """Everything about one."""
    it = found.letter
    if as_json:
        event = found.event and orjson.loads(orjson.dumps(found.event, default=str))
        more = {
            "key": _base64(it.key),
            "value": _base64(it.value),
            "headers": [{"name": name, "value": _base64(value)} for name, value in it.headers],
            "readable": found.event is not None,
            "problem": found.problem,
            "event": event,
            "live": found.fate,
            "retry_of": found.retry_of and str(found.retry_of),
        }
        click.echo(json.dumps(_as_json(it) | more))
        return
    lines = [("place", f"{it.place} of topic id {it.topic_id}"), ("state", _state(found))]
    lines += [("retry of", str(found.retry_of))] if found.retry_of else []
    lines += [
        ("logged", it.logged_at.isoformat()),
        ("published", it.published_at.isoformat() if it.published_at else "not yet"),
        ("reason", it.reason),
        ("key", text_of(it.key)),
        *(("header", f"{name}: {text_of(value)}") for name, value in it.headers),
        ("read now", found.problem or "as the event below"),
    ]
    for name, text in lines:
        click.echo(f"{name:<10} {printable(text)}")
    if it.value is None:
        click.echo("the value is null (a tombstone)")
    else:
        click.echo(f"{it.size:,} bytes{f', written to {raw}' if raw else ''}\n{dump(it.value, limit=_DUMPED)}")
    if found.event is not None:
        shown = orjson.loads(orjson.dumps(found.event, default=str))
        click.echo(json.dumps(shown, indent=2))  # escapes all but ASCII: nothing in it moves the terminal


class Retries:
    """Says how a retry goes on and how it ended; a progress bar on a terminal."""

    def __init__(self, total: int, *, as_json: bool):
        self._as_json = as_json
        self._done: list[Retried] = []
        self.refusals: list[tuple[Place, str]] = []
        console = Console(stderr=True)
        columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("retrying", total=total)

    def __enter__(self) -> Retries:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def waiting(self, seconds: float) -> None:
        said = f"waiting {seconds:.0f} s, until live asks the registry for the schema again"
        if self._bar.disable and not self._as_json:
            click.echo(said, err=True)
        self._bar.update(self._task, description=said)

    def retried(self, retried: Retried) -> None:
        self._done.append(retried)
        self._bar.update(self._task, advance=1, description="retrying")

    def refused(self, place: Place, reason: str) -> None:
        self.refusals.append((place, reason))
        self._bar.update(self._task, advance=1, description="retrying")
        if not self._as_json:
            self._bar.console.print(f"{place}: {printable(reason)}", markup=False, highlight=False, soft_wrap=True)

    def summary(self, fates: Sequence[Fate | None]) -> None:
        self._bar.stop()
        if self._as_json:
            retried = [
                {"place": str(each.letter), "at": str(each.place), "outcome": each.outcome, "live": fate}
                for each, fate in zip(self._done, fates, strict=True)
            ]
            refused = [{"place": str(place), "reason": reason} for place, reason in self.refusals]
            click.echo(json.dumps({"retried": retried, "refused": refused}))
            return
        if len(self._done) <= 20:
            for each, fate in zip(self._done, fates, strict=True):
                click.echo(f"{each.letter}: {_HOW[each.outcome]} {each.place}; live: {fate or 'cannot be told'}")
        counts = Counter(each.outcome for each in self._done)
        click.echo(
            f"{counts['appended']:,} appended again, {counts['found']:,} found in live, "
            f"{counts['before']:,} retried before, {len(self.refusals):,} refused"
        )


_HOW = {"appended": "appended again as", "found": "live holds the event already at", "before": "retried before as"}


def _state(found: Inspection) -> str:
    it = found.letter
    said = [it.state]
    if it.retried is not None:
        became = f"; live: {found.fate or 'cannot be told'}"
        said.append(f"by {it.retried.by} at {it.retried.at.isoformat()}, as {it.retried.place}{became}")
    if it.discarded is not None:
        said.append(
            f"{'discarded before' if it.retried else ''} by {it.discarded.by} at "
            f"{it.discarded.at.isoformat()}: {it.discarded.reason}".strip()
        )
    return ", ".join(said) if len(said) > 1 else said[0]


def _as_json(it: Summary) -> dict[str, Any]:
    return {
        "place": str(it.place),
        **it.place._asdict(),
        "topic_id": it.topic_id,
        "state": it.state,
        "reason": it.reason,
        "bytes": it.size,
        "logged_at": it.logged_at.isoformat(),
        "created_at": it.created_at.isoformat(),
        "published_at": it.published_at and it.published_at.isoformat(),
        "retried": it.retried
        and {"at": it.retried.at.isoformat(), "by": it.retried.by, "place": str(it.retried.place)},
        "discarded": it.discarded
        and {"at": it.discarded.at.isoformat(), "by": it.discarded.by, "reason": it.discarded.reason},
    }


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()
