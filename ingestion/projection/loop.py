"""The projector's loop: read, commit, again; and what it does while a server is away."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from psycopg import errors as pg

from ingestion.codec import Codec, RegistryUnavailable
from ingestion.producer import KAFKA_LOG
from ingestion.projection.alert import ShareAlert, tell_each
from ingestion.projection.errors import TopicMissing
from ingestion.projection.log import Batch, Log, describe
from ingestion.projection.metrics import Lag, Metrics
from ingestion.projection.records import Reader, Record
from ingestion.projection.view import View

_AWAY = (psycopg.OperationalError, pg.TransactionTimeout, KafkaException, RegistryUnavailable, TopicMissing)
_LONGEST_WAIT = 5  # seconds
_ASK_AGAIN = 2  # seconds of nothing to write after which PostgreSQL is asked whether it is still there
_LOOK_AGAIN = 30  # seconds between looks at whether the topics are still the same

log = structlog.get_logger("outlay.live")


def run(*, bootstrap: str, registry_url: str, dsn: str, stop: threading.Event, metrics: Metrics | None = None) -> None:
    """Keep the live view up to date until `stop` is set.

    A server that is away is waited for; everything uncommitted is read again then. What the database refuses and what
    cannot be read becomes a dead letter.

    Args:
        bootstrap: Kafka's bootstrap servers.
        registry_url: base URL of the registry's Confluent-compatible API.
        dsn: the database, as a role that may write `live`.
        metrics: counts what is done.

    Raises:
        ProjectionError: live cannot go on by itself; the subclass says why.
    """
    codec = Codec(registry_url)
    outage, metrics, alert = _Outage(), metrics or Metrics(), ShareAlert()
    while not stop.is_set():
        try:
            _follow(bootstrap, dsn, codec, stop, outage, metrics, alert)
        except pg.ProgramLimitExceeded:
            raise
        except _AWAY as error:
            metrics.outage(error)
            stop.wait(outage.begun(error))


def _follow(
    bootstrap: str,
    dsn: str,
    codec: Codec,
    stop: threading.Event,
    outage: _Outage,
    metrics: Metrics,
    alert: ShareAlert,
) -> None:
    """Follow the log until `stop` is set, a server goes away, or the topics are no longer the same."""
    admin = AdminClient({"bootstrap.servers": bootstrap}, logger=KAFKA_LOG)
    topics = describe(admin)
    messages = Reader(codec, {name: topic.topic_id for name, topic in topics.items()})

    def read_ahead() -> tuple[list[Record], Batch]:
        batch = kafka.next()
        return messages.read(batch.messages), batch

    with (
        View.opened(dsn, topics) as view,
        Log(bootstrap, view.positions) as kafka,
        _measured(metrics, lambda: kafka.lag(view.positions)),
        ThreadPoolExecutor(1, "read-ahead") as reader,  # decodes the next batch while PostgreSQL merges this one
    ):
        ahead, looked = reader.submit(read_ahead), time.monotonic()
        heard = looked
        while not stop.is_set():
            records, batch = ahead.result()
            ahead = reader.submit(read_ahead)
            began = time.monotonic()
            decided = view.write(records, batch.positions)
            metrics.committed(records, decided, time.monotonic() - began)
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > _ASK_AGAIN:  # else an idle projector would not notice a restart
                view.ask()
                heard = time.monotonic()
            outage.over()
            tell_each([record for record in records if record.reason is not None])
            alert.count(len(records), len(records) - decided.total())
            if time.monotonic() - looked > _LOOK_AGAIN:
                if describe(admin) != topics:
                    return
                looked = time.monotonic()


@contextmanager
def _measured(metrics: Metrics, lag: Lag) -> Iterator[None]:
    """Let the lag be asked for as long as the log is read."""
    metrics.follow(lag)
    try:
        yield
    finally:
        metrics.follow(None)


class _Outage:
    """Tells the begin and the end of an outage in one line each, and how long to wait before the next try."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._tries = 0

    def begun(self, error: Exception) -> float:
        if self._since is None:
            self._since = time.monotonic()
            log.warning("a server is away, trying again", error=_line(error), kind=type(error).__name__)
        self._tries += 1
        return min(_LONGEST_WAIT, 0.1 * 2**self._tries) * random.uniform(0.5, 1)  # noqa: S311

    def over(self) -> None:
        if self._since is not None:
            log.info("the server is back", seconds=round(time.monotonic() - self._since, 1))
            self._since, self._tries = None, 0


def _line(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return f"Kafka: {error.args[0].str()}"
    return str(error).strip().splitlines()[0]
