"""Events of what is changed here: written in the same transaction, and appended to the log by a relay right after.

At least once: a row is marked after Kafka has acknowledged it, so a crash between the two appends it again, under the
same event_id, which counts once. One relay at a time, in the order of the rows: a person's events keep theirs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import structlog

from ingestion.events import key
from outlay.accounts.housekeeping import tidy
from outlay.db import session
from outlay.ledger import decisions
from outlay.ledger.commands import KafkaUnavailable, Ledger
from outlay.ledger.line import Message
from outlay.settings import Settings

_LOCK = 0x6F75746C61794F
_AT_ONCE = 100
_LOOK = 0.01  # seconds between looks of somebody who waits
_HOUR = 3600.0
_PAUSE, _OUTAGE = 1.0, 5.0  # seconds between looks: in quiet, and while Kafka or the database is away

log = structlog.get_logger("outlay.outbox")


def put(
    connection: psycopg.Connection, ledger: Ledger, topic: str, events: Iterable[Mapping[str, Any]], *, user_id: UUID
) -> int:
    """Write events of what a user changed into the caller's transaction; returns how many were not there yet.

    Raises:
        Refused: one does not fit the contract. KafkaUnavailable: its schema cannot be read.
    """
    count = 0
    for event in events:
        count += connection.execute(
            "INSERT INTO auth.outbox (event_id, user_id, topic, key, value, created_at) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (event_id) DO NOTHING",
            (event["event_id"], user_id, topic, key(topic, event), ledger.encoded(topic, event), datetime.now(UTC)),
        ).rowcount
    return count


def append_waiting(ledger: Ledger, using: Settings) -> int:
    """Append what is not in the log yet; returns how much. Nothing, when another relay is at it.

    Raises:
        KafkaUnavailable: Kafka does not take an event; those before it are marked.
    """
    count = 0
    with session("auth", using=using, autocommit=True) as connection:
        if not connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()[0]:
            return 0
        while True:
            rows = connection.execute(
                "SELECT outbox_id, event_id, topic, key, value FROM auth.outbox WHERE appended_at IS NULL "
                "ORDER BY outbox_id LIMIT %s",
                (_AT_ONCE,),
            ).fetchall()
            if not rows:
                return count
            for outbox_id, event_id, topic, event_key, value in rows:
                [delivery] = ledger.deliver(topic, [Message(event_id, event_key, value)])
                connection.execute(
                    'UPDATE auth.outbox SET appended_at = %s, partition = %s, "offset" = %s WHERE outbox_id = %s',
                    (datetime.now(UTC), delivery.partition, delivery.offset, outbox_id),
                )
                count += 1


def await_live(user_id: UUID, using: Settings, *, seconds: float = 2.0) -> bool:
    """Whether live has decided what this user changed in the last minute, within `seconds`."""
    deadline = time.monotonic() + seconds
    with (
        session("auth", using=using, autocommit=True) as mine,
        session("app", using=using, autocommit=True) as live,
    ):
        while True:
            rows = mine.execute(
                'SELECT topic, partition, "offset" FROM auth.outbox WHERE user_id = %s AND created_at > %s',
                (user_id, datetime.now(UTC) - timedelta(minutes=1)),
            ).fetchall()
            if all(partition is not None for _, partition, _ in rows):
                return all(_passed(live, *place, deadline) for place in rows)
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)


def _passed(live: psycopg.Connection, topic: str, partition: int, offset: int, deadline: float) -> bool:
    ends = {partition: offset + 1}
    reached = decisions.await_live(live, topic, ends, seconds=deadline - time.monotonic())
    return not decisions.behind(reached, ends)


class Relay:
    """A thread that appends what waits: at once when told so, and otherwise when it looks, each second. Once an hour it
    forgets what is over."""

    def __init__(self, ledger: Ledger, using: Settings):
        self._ledger, self._settings = ledger, using
        self._told, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """Something was written."""
        self._told.set()

    def close(self) -> None:
        """End after what is on the way. What waits is appended by the next relay."""
        self._ended.set()
        self._told.set()
        self._thread.join(_OUTAGE)

    def _run(self) -> None:
        away, tidied_at = False, float("-inf")
        while not self._ended.is_set():
            try:
                append_waiting(self._ledger, self._settings)
                if time.monotonic() - tidied_at > _HOUR:
                    tidy(self._settings)
                    tidied_at = time.monotonic()
                if away:
                    log.info("events of accounts are appended again")
                away = False
            except (KafkaUnavailable, psycopg.OperationalError) as error:
                if not away:
                    log.warning("events of accounts wait to be appended", error=" ".join(str(error).split()))
                away = True
            except Exception:  # a fault of ours must not end the relay for good
                log.exception("events of accounts are not appended, trying again in a while")
                away = True
            self._told.wait(_OUTAGE if away else _PAUSE)
            self._told.clear()
