"""The outbox relay: each new dead letter is appended to `<topic>.dlq`, beside the projector and never in its way.

At least once: a letter is marked as published after Kafka has acknowledged it, so a crash between the two publishes it
again. A consumer drops the second by the place headers (`__connect.errors.topic`, `.partition`, `.offset`, and
`outlay.topic.id`). Letters of one partition are published in the order of the log.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog

from ingestion.dead_letters import headers
from ingestion.dead_letters.letters import Letter, mark_published, unpublished
from ingestion.dead_letters.sender import Appended, KafkaAway, Outgoing, Sender, Unacceptable

DLQ = ".dlq"
"""Suffix of the topic that a topic's dead letters are published to; it has one partition."""

_LOCK = 0x6F75746C61790A  # of two relays of one database, the one whose session holds this advisory lock publishes
_AT_ONCE = 50  # letters, each of up to a megabyte
_PAUSE = 1.0  # seconds between looks when there is nothing to do
_LONGEST_WAIT = 30  # seconds between tries while a server is away
_LEAVE = 5  # seconds for the thread to end

log = structlog.get_logger("outlay.dead_letters")


@contextmanager
def publishing(*, bootstrap: str, dsn: str) -> Iterator[None]:
    """Run the relay in a thread of its own for as long as the block runs. Whatever fails in it, the block goes on."""
    stop = threading.Event()
    thread = threading.Thread(
        target=relay, kwargs={"bootstrap": bootstrap, "dsn": dsn, "stop": stop}, name="dead-letters", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_LEAVE)


def relay(*, bootstrap: str, dsn: str, stop: threading.Event) -> None:
    """Publish what is unpublished, until `stop` is set. A server that is away is waited for; nothing is raised.

    Args:
        bootstrap: Kafka's bootstrap servers.
        dsn: the database, as a role that may write `published_at` of `live.dead_letters`.
    """
    outage = _Outage()
    unacceptable: set[tuple[str, int, int]] = set()
    while not stop.is_set():
        try:
            with (
                psycopg.connect(dsn, autocommit=True, connect_timeout=5, application_name="outlay-relay") as connection,
                Sender(bootstrap, client_id="outlay-relay") as sender,
            ):
                alone = False
                while not stop.is_set():
                    alone = alone or connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()[0]
                    if alone:
                        _publish(connection, sender, unacceptable, stop)
                        outage.over()
                    stop.wait(_PAUSE)
        except (psycopg.OperationalError, KafkaAway) as error:
            stop.wait(outage.begun(error))
        except Exception:  # a fault of ours must not end the publication for good, nor the projector
            log.exception("dead letters are not published, trying again in a while")
            stop.wait(_LONGEST_WAIT)


def _publish(
    connection: psycopg.Connection,
    sender: Sender,
    unacceptable: set[tuple[str, int, int]],
    stop: threading.Event,
) -> None:
    """One pass over what is unpublished.

    Raises:
        KafkaAway: Kafka did not acknowledge a letter; those that it did are marked.
    """
    after, count = None, 0
    while not stop.is_set():
        letters = unpublished(connection, after=after, limit=_AT_ONCE)
        if not letters:
            break
        after = _key(letters[-1])
        letters = [letter for letter in letters if _key(letter) not in unacceptable]
        outcomes = list(zip(letters, sender.send([_outgoing(letter) for letter in letters], stop), strict=True))
        done = [letter for letter, outcome in outcomes if isinstance(outcome, Appended)]
        mark_published(connection, done)
        count += len(done)
        for letter, outcome in outcomes:
            if isinstance(outcome, Unacceptable):
                unacceptable.add(_key(letter))
                place = str(letter.place)
                log.error("a dead letter cannot be published, it stays here", place=place, error=outcome.reason)
        for _, outcome in outcomes:
            if isinstance(outcome, KafkaAway) and not stop.is_set():
                raise outcome
    if count:
        log.info("dead letters published", letters=count)


def _outgoing(letter: Letter) -> Outgoing:
    return Outgoing(f"{letter.place.topic}{DLQ}", letter.key, letter.value, headers.published(letter), 0)


def _key(letter: Letter) -> tuple[str, int, int]:
    return letter.topic_id, letter.place.partition, letter.place.offset


class _Outage:
    """Tells the begin and the end of an outage in one line each, and how long to wait before the next try."""

    def __init__(self) -> None:
        self._tries = 0

    def begun(self, error: Exception) -> float:
        if self._tries == 0:
            log.warning("dead letters wait to be published", error=str(error).strip().splitlines()[0])
        self._tries += 1
        return min(_LONGEST_WAIT, 0.5 * 2**self._tries) * random.uniform(0.5, 1)  # noqa: S311

    def over(self) -> None:
        if self._tries:
            log.info("dead letters are published again")
            self._tries = 0
