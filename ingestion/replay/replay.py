"""One replay: build the twin, bring it level, compare, swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import IsolationLevel

from ingestion import turns
from ingestion.codec import Codec
from ingestion.landing.log import Log
from ingestion.replay import bulk, catalogue, checksums, letters, sessions, standing, swap, twin
from ingestion.replay.checksums import Table
from ingestion.replay.errors import ReplayError
from ingestion.replay.loader import Loader
from ingestion.replay.source import Source
from ingestion.replay.twin import LIVE

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much (offsets; 0 of 0 where that cannot be told)."""

_TURN = 0x7265706C6179  # "replay"
_TURN_PATIENCE = "5s"  # for PostgreSQL to notice that a replay was killed
_NEAR = 200  # offsets: as near as a live that moves lets one come before it is stopped
_PATIENCE = 600.0  # seconds for catching up and swapping
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Replayed:
    """What a replay did.

    `events` were read, `from_bronze` and `from_kafka`, in `seconds` (until the comparison). `letters_now_events` are
    dead letters of live that can be read today. `replaced` is the schema of the old tables where they were kept, or
    could not be dropped yet.
    """

    events: int
    from_bronze: int
    from_kafka: int
    seconds: float
    letters_now_events: int
    tables: Sequence[Table]
    swapped: bool
    replaced: str | None = None

    @property
    def equal(self) -> bool:
        return all(table.equal for table in self.tables)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            **{name: value for name, value in vars(self).items() if name != "tables"},
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.rate),
            "equal": self.equal,
            "tables": [table.as_json() for table in self.tables],
        }


def replay(
    *,
    bootstrap: str,
    registry_url: str,
    lake: str,
    dsn: str,
    accept_differences: bool = False,
    dry_run: bool = False,
    keep: bool = False,
    on_progress: Progress = lambda stage, done, total: None,
) -> Replayed:
    """Build live again from the log, compare, and swap the new tables in; the old ones are dropped.

    Whatever it does not swap in, it drops again: live is then as it was.

    Args:
        bootstrap: Kafka's bootstrap servers.
        registry_url: base URL of the registry's Confluent-compatible API.
        lake: the lake's root, a folder or an fsspec URL.
        dsn: the database, as its owner.
        accept_differences: swap although the new tables differ from the old ones.
        dry_run: compare, and do not swap.
        keep: leave the old tables in a schema of their own.

    Raises:
        ReplayError: it cannot go on; another replay runs; or live could not be swapped in ten minutes.
        LandingError: bronze, the lake or Kafka; the message says which.
        RegistryUnavailable: the registry does not answer.
        psycopg.OperationalError: PostgreSQL does not.
    """
    with sessions.opened(dsn) as control, _turn(control), ExitStack() as open_:
        _sees_everything(control)
        twin.drop(control)
        twin.drop(control, swap.REPLACED)
        swap.refuse_what_cannot_follow(control)
        topics = standing.topics(control, bootstrap)
        open_.callback(_clean_up, dsn)
        twin.create(control)
        log = open_.enter_context(Log(bootstrap))
        writing = open_.enter_context(sessions.opened(dsn))
        target = standing.positions(control)
        total = sum(target.values())
        began = time.monotonic()
        bulk_read = bulk.load(
            target,
            topics=topics,
            dsn=dsn,
            lake=lake,
            bootstrap=bootstrap,
            registry_url=registry_url,
            on_progress=lambda done: on_progress("reading", done, max(total, done)),
        )
        on_progress("building indexes", 0, 0)
        twin.index(dsn, control, beside=[bulk.TOTALS])
        twin.complete(dsn, control)
        source = Source(writing, lake, log, Codec(registry_url), topics)
        loader = Loader(writing, topics, source, lambda done: on_progress("reading", done, max(total, done)))
        loader.load(target)
        on_progress("catching up", 0, 0)
        deadline = time.monotonic() + _PATIENCE
        _catch_up(control, loader, deadline)
        seconds, read = time.monotonic() - began, source.read
        read += bulk_read
        on_progress("comparing", 0, 0)
        tables = _compare(dsn, control, loader)
        swapped, old = False, None
        if not dry_run and (accept_differences or all(table.equal for table in tables)):
            on_progress("swapping", 0, 0)
            old = _swap(control, loader, keep=keep)
            swapped = True
            if not keep and swap.drop_replaced(control):
                old = None
        return Replayed(
            events=read.bronze + read.kafka,
            from_bronze=read.bronze,
            from_kafka=read.kafka,
            seconds=seconds,
            letters_now_events=read.letters_now_events,
            tables=tables,
            swapped=swapped,
            replaced=old,
        )


def _catch_up(connection: psycopg.Connection, loader: Loader, deadline: float) -> datetime:
    """Follow live until nearly level; returns the database's time when the twin was where live had just been."""
    while True:
        target = standing.positions(connection)
        behind = loader.behind(target)
        loader.load(target)
        if behind <= _NEAR:
            return connection.execute("SELECT clock_timestamp()").fetchone()[0]
        if time.monotonic() > deadline:
            raise ReplayError(
                f"live moves on as fast as the replay reads: still {behind:,} offsets behind after "
                f"{_PATIENCE / 60:.0f} minutes. Run it again when less comes in"
            )


def _compare(dsn: str, control: psycopg.Connection, loader: Loader) -> list[Table]:
    """At one moment of live: its snapshot stays while the twin is brought to the same offsets."""
    with sessions.opened(dsn) as frozen:
        frozen.isolation_level = IsolationLevel.REPEATABLE_READ
        frozen.read_only = True
        with frozen.transaction():
            target = standing.positions(frozen)
            if any(loader.positions[place] > offset for place, offset in target.items()):
                raise ReplayError("live.offsets went back while the replay ran: run it again")
            loader.load(target)
            return checksums.compare(frozen, control)


def _swap(control: psycopg.Connection, loader: Loader, *, keep: bool) -> str:
    deadline, pause = time.monotonic() + _PATIENCE, 0.25
    letters.carry_over(control)
    level = _catch_up(control, loader, deadline)
    while True:
        try:
            return swap.swap(control, loader, level=level, keep=keep)
        except swap.NotYet as reason:
            if time.monotonic() > deadline:
                raise ReplayError(
                    f"live could not be swapped within {_PATIENCE / 60:.0f} minutes: {reason}. End what reads for so "
                    "long (pg_stat_activity shows it), and run the replay again"
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        _catch_up(control, loader, deadline)


def _sees_everything(connection: psycopg.Connection) -> None:
    for table in catalogue.tables(connection, LIVE):
        if connection.execute("SELECT row_security_active(%s)", (f"{LIVE}.{table}",)).fetchone()[0]:
            raise ReplayError(
                f"the database's owner does not see all rows of {LIVE}.{table}, so that nothing can be compared: "
                "ALTER ROLE ... BYPASSRLS"
            )


def _clean_up(dsn: str) -> None:
    """What was not swapped in is of no use. In a session of its own: those of the replay may be broken."""
    try:
        with sessions.opened(dsn) as connection:
            twin.drop(connection)
    except psycopg.OperationalError:
        return  # PostgreSQL is away; the next replay drops it


def _turn(connection: psycopg.Connection) -> AbstractContextManager[None]:
    """The right to replay, until the connection ends at the latest."""
    busy = ReplayError("another replay is running: wait for its end")
    return turns.turn(connection, _TURN, patience=_TURN_PATIENCE, busy=busy)
