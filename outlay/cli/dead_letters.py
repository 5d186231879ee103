"""`outlay dead-letters`: what live could not take, looked at, retried and discarded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingestion.place import Place
from outlay.cli import Failure
from outlay.cli.decided import each
from outlay.cli.decided import report as report_outcomes
from outlay.cli.options import PLACE, by_option, json_option, topic_option

if TYPE_CHECKING:
    from ingestion.dead_letters.retry import Retried


@click.group("dead-letters", epilog="Example: outlay dead-letters list --topic transaction")
def dead_letters() -> None:
    """Look at the messages that live could not take, retry them once they can be read, or discard them.

    A PLACE is topic/partition@offset, as `list` prints it, such as transaction/3@42.
    """


@dead_letters.command("list", epilog="Example: outlay dead-letters list --state all --json | jq .letters[0]")
@topic_option
@click.option("--state", type=click.Choice(["open", "retried", "discarded", "all"]), default="open", show_default=True)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most this many.")
@json_option
def list_(topic: str | None, state: str, limit: int, as_json: bool) -> None:
    """List them, newest first, and how many are open."""
    from ingestion.dead_letters.letters import newest, open_letters
    from outlay.cli import dead_letter_report as report
    from outlay.db import session

    with _failures(), session("projector") as connection:
        letters = newest(connection, topic=topic, state=None if state == "all" else state, limit=limit)
        report.letters(letters, open_letters(connection), as_json=as_json)


@dead_letters.command(epilog="Example: outlay dead-letters show transaction/3@42 --raw message.bin")
@click.argument("place", type=PLACE)
@click.option(
    "--raw", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the exact bytes there."
)
@json_option
def show(place: Place, raw: Path | None, as_json: bool) -> None:
    """Show one: why it is here, its headers and bytes, what can be read of it now, and what became of it."""
    from ingestion.codec import Codec
    from ingestion.dead_letters.inspection import inspect
    from outlay.cli import dead_letter_report as report
    from outlay.db import session
    from outlay.settings import settings

    with _failures(), session("projector") as connection:
        found = inspect(connection, Codec(settings().registry), place)
        if raw is not None:
            _write(raw, place, found.letter.value)
        report.letter(found, raw, as_json=as_json)


@dead_letters.command(epilog="Example: outlay dead-letters retry transaction/3@42; outlay dead-letters retry --all")
@click.argument("places", type=PLACE, nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every open one, in the order of the log.")
@topic_option
@by_option
@json_option
@click.pass_context
def retry(
    ctx: click.Context, places: tuple[Place, ...], every: bool, topic: str | None, by: str, as_json: bool
) -> None:
    """Append them to their topic again, with the bytes, key and headers that they came with.

    What still cannot be read stays as it is, and is said. Running it again changes nothing: an event counts once.

    Exits with 1 if any was refused.
    """
    from ingestion.dead_letters.letters import Busy, NoSuchLetter, open_places
    from ingestion.dead_letters.retry import Refused, Retrier
    from outlay.cli import dead_letter_report as report
    from outlay.db import session
    from outlay.settings import settings

    _one_way_to_choose(places, every, topic)
    here = settings()
    done: list[Retried] = []
    with _failures(done):
        if every:
            with session("projector") as connection:
                places = tuple(open_places(connection, topic))
        to = {"bootstrap": here.bootstrap, "registry_url": here.registry, "dsn": here.dsn("projector")}
        with Retrier.opened(**to, by=by) as retrier, report.Retries(len(places), as_json=as_json) as told:
            for place in places:
                try:
                    done.append(retrier.retry(place, waiting=told.waiting))
                    told.retried(done[-1])
                except (Refused, Busy, NoSuchLetter) as error:
                    told.refused(place, str(error))
            told.summary(retrier.fates(done))
    ctx.exit(1 if told.refusals else 0)


@dead_letters.command(epilog='Example: outlay dead-letters discard transaction/3@42 --reason "sent by a test"')
@click.argument("places", type=PLACE, nargs=-1, required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why nobody needs them.")
@by_option
@json_option
@click.pass_context
def discard(ctx: click.Context, places: tuple[Place, ...], reason: str, by: str, as_json: bool) -> None:
    """Mark them as not needed. Nothing is deleted, and `retry` takes them up again.

    Exits with 1 if any was refused.
    """
    from ingestion.dead_letters import retry
    from ingestion.dead_letters.letters import Busy, NoSuchLetter
    from outlay.db import session

    if not reason.strip():
        raise click.UsageError("--reason: expected why nobody needs them, got nothing")
    with _failures(), session("projector", autocommit=True) as connection:
        discard_one = partial(retry.discard, connection, by=by, reason=reason.strip())
        outcomes = each(places, discard_one, refusing=(retry.Refused, Busy, NoSuchLetter))
    ctx.exit(report_outcomes(outcomes, "discarded", as_json=as_json))


def _one_way_to_choose(places: tuple[Place, ...], every: bool, topic: str | None) -> None:
    if every and places:
        raise click.UsageError("expected places or --all, got both")
    if not every and not places:
        raise click.UsageError(
            "expected places such as transaction/3@42, or --all; `outlay dead-letters list` shows them"
        )
    if topic and not every:
        raise click.UsageError("--topic goes with --all")


def _write(path: Path, place: Place, value: bytes | None) -> None:
    if value is None:
        raise Failure(f"{place} has a null value: there are no bytes to write to {path}")
    try:
        path.write_bytes(value)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _failures(done: list[Retried] | None = None) -> Iterator[None]:
    """A server that is away is one line, with what was done until then."""
    import psycopg

    from ingestion.codec import RegistryUnavailable
    from ingestion.dead_letters.letters import NoSuchLetter
    from ingestion.dead_letters.sender import KafkaAway

    so_far = lambda: f" ({len(done)} retried so far)" if done else ""  # noqa: E731
    try:
        yield
    except NoSuchLetter as error:
        raise Failure(str(error)) from error
    except (KafkaAway, RegistryUnavailable) as error:
        raise Failure(f"{error}{so_far()}") from error
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        raise Failure(f"PostgreSQL does not answer ({said}): see `outlay status`{so_far()}") from error
