"""`outlay simulate`: households that live and spend, as a year at once or as a stream."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import click

from outlay.cli import Failure

_TOPICS = ("user", "transaction", "report", "reminder")  # workspaces and accounts first
_BROKER_AWAY = 600  # seconds a stream waits for Kafka to come back before an event counts as failed
_STREAMING = 4  # households, so that several partitions are written


def _day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise click.BadParameter(f"expected a date such as 2026-01-31, got {value!r}") from None


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same events.")
@click.option("--households", type=click.IntRange(1, 1000), help="How many.  [default: 2, or 4 when streaming]")
@click.option("--start", callback=_day, metavar="DATE", help="First day.  [default: twelve complete months ago]")
@click.option("--end", callback=_day, metavar="DATE", help="Last day.  [default: the last of the month before this]")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Stream this many new purchases a second instead."
)
@click.option(
    "--duration", type=click.FloatRange(0, min_open=True), help="Seconds to stream; without it, until Ctrl-C."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result for programs.")
def simulate(
    seed: int,
    households: int | None,
    start: date | None,
    end: date | None,
    rate: float | None,
    duration: float | None,
    as_json: bool,
) -> None:
    """Simulate households: a year of events on all four topics, which running again does not add to; or a stream.

    \b
    Examples:
        outlay simulate
        outlay simulate --seed 7 --households 5 --start 2024-01-01 --end 2024-12-31
        outlay simulate --rate 500 --duration 60
    """
    from ingestion.codec import NotRegistered, RegistryUnavailable
    from ingestion.sources.simulator import last_year
    from outlay.ledger.commands import KafkaUnavailable, LiveStalled

    if duration and not rate:
        raise click.UsageError("--duration needs --rate")
    if rate and (start or end):
        raise click.UsageError("--start and --end are for a simulated past; a stream is dated now")
    usual = last_year(datetime.now(UTC).date())
    start, end = start or usual[0], end or usual[1]
    if start > end:
        raise click.UsageError(f"expected --start before --end, got {start} and {end}")
    try:
        if rate:
            _stream(seed, households or _STREAMING, rate, duration, as_json)
        else:
            _past(seed, households or 2, start, end, as_json)
    except (KafkaUnavailable, LiveStalled, RegistryUnavailable, NotRegistered) as error:
        raise Failure(str(error)) from error


def _past(seed: int, count: int, start: date, end: date, as_json: bool) -> None:
    from ingestion.enrich import Enricher
    from ingestion.sources import simulator
    from outlay.ledger.commands import Ledger
    from outlay.settings import settings

    by_topic: dict[str, list[dict[str, Any]]] = {topic: [] for topic in _TOPICS}
    for topic, event in simulator.events(seed, start, end, count, enricher=Enricher(settings().seeds)):
        by_topic[topic].append(event)
    counts = {}
    with Ledger() as ledger, _progress(sum(map(len, by_topic.values()))) as done:
        for topic, events in by_topic.items():
            once = list({event["event_id"]: event for event in events}.values())
            appended = ledger.append_many(topic, once, on_progress=done(topic))
            resent = _resend(topic, events) if appended.inserted else 0
            counts[topic] = {
                "appended": appended.inserted + appended.stale,
                "already_there": appended.already_there,
                "resent": resent,
            }
    names = [household.name for household in simulator.households(seed, count)]
    if as_json:
        period = {"start": str(start), "end": str(end)}
        click.echo(json.dumps({"seed": seed, "households": names, **period, "topics": counts}))
        return
    click.echo(f"{', '.join(names)}: {start} to {end}, seed {seed}")
    for topic, count in counts.items():
        again = f", {count['resent']} sent twice" if count["resent"] else ""
        click.echo(f"{topic:<12} {count['appended']:>7,} appended, {count['already_there']:>7,} already there{again}")


def _resend(topic: str, events: list[dict[str, Any]]) -> int:
    """Send again what a careless feed sends twice, so that the log has real duplicates; only after a first run."""
    from ingestion.codec import Codec
    from ingestion.producer import EventProducer
    from outlay.settings import settings

    times = Counter(event["event_id"] for event in events)
    twice = [event for event in events if times[event["event_id"]] > 1 and times.pop(event["event_id"])]
    if twice:
        with EventProducer(settings().bootstrap, Codec(settings().registry), client_id="outlay-simulator") as producer:
            for event in twice:
                producer.send(topic, event)
    return len(twice)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], Callable]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task, finished = bar.add_task("simulating", total=total), [0]

        def of(topic: str) -> Callable:
            before = finished[0]

            def moved(progress) -> None:
                finished[0] = before + progress.decided + progress.already_there
                bar.update(task, completed=finished[0], description=topic)

            return moved

        yield of


def _stream(seed: int, count: int, rate: float, duration: float | None, as_json: bool) -> None:
    from ingestion.codec import Codec
    from ingestion.enrich import Enricher
    from ingestion.producer import EventProducer
    from ingestion.sources.simulator.chance import chance
    from ingestion.sources.simulator.stream import Acknowledged, found, purchases, stream, streaming_households
    from outlay.settings import settings
    from outlay.signals import stop_on_signals

    stop = stop_on_signals()
    streaming = streaming_households(seed, count)
    fresh = purchases(streaming, Enricher(settings().seeds), chance(seed, time.time_ns()))
    so_far = Acknowledged()
    with EventProducer(
        settings().bootstrap,
        Codec(settings().registry),
        client_id="outlay-simulator",
        delivery_timeout=_BROKER_AWAY,
    ) as producer:
        found(producer, streaming)
        producer.flush(_BROKER_AWAY)
        started = time.monotonic()
        with _counter(as_json, duration and int(rate * duration)) as on_sent:
            stream(producer, fresh, rate=rate, duration=duration, stop=stop, so_far=so_far, on_sent=on_sent)
        sending = time.monotonic() - started
        producer.flush(_BROKER_AWAY)
    _report_stream(so_far, sending, as_json)


def _report_stream(so_far, sending: float, as_json: bool) -> None:
    totals = {currency: f"{total:f}" for currency, total in sorted(so_far.totals.items())}
    document = {
        "sent": so_far.sent,
        "acknowledged": so_far.acknowledged,
        "failed": so_far.failed,
        "totals": totals,
        "transactions": so_far.acknowledged,
        "elapsed_s": round(sending, 3),
    }
    if as_json:
        click.echo(json.dumps(document))
    else:
        said = ", ".join(f"{total} {currency}" for currency, total in totals.items()) or "nothing"
        pace = so_far.sent / sending if sending else 0
        click.echo(f"{so_far.acknowledged:,} of {so_far.sent:,} purchases acknowledged ({pace:,.0f}/s): {said}")
    unanswered = so_far.sent - so_far.acknowledged - so_far.failed
    if so_far.failed or unanswered:
        raise Failure(
            f"Kafka did not acknowledge {so_far.failed + unanswered} purchases ({so_far.error or 'no answer'}); "
            "they may still be in the log: see `outlay status`"
        )


@contextmanager
def _counter(as_json: bool, total: int | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = [TextColumn("streaming"), BarColumn(), TextColumn("{task.completed:,.0f} sent"), TimeElapsedColumn()]
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda sent: bar.update(task, completed=sent)
