"""The projector's lanes: each reads, commits, and again; and what it does while a server is away."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from psycopg import errors as pg

from ingestion.codec import Codec, RegistryUnavailable
from ingestion.producer import KAFKA_LOG
from ingestion.projection.alert import ShareAlert, tell_each
from ingestion.projection.errors import TopicMissing
from ingestion.projection.lane import Lane
from ingestion.projection.load import Load
from ingestion.projection.log import Batch, Log, describe
from ingestion.projection.metrics import Metrics
from ingestion.projection.outages import Outages
from ingestion.projection.records import Reader, Record
from ingestion.projection.view import View

_AWAY = (psycopg.OperationalError, pg.TransactionTimeout, KafkaException, RegistryUnavailable, TopicMissing)
_ASK_AGAIN = 2  # seconds of nothing to write after which PostgreSQL is asked whether it is still there
_AHEAD = 500  # messages of a batch; after a smaller one, what comes while it is written is best read together
_LOOK_AGAIN = 30  # seconds between looks at whether the topics are still the same


def run(
    *,
    bootstrap: str,
    registry_url: str,
    dsn: str,
    stop: threading.Event,
    load: Load,
    metrics: Metrics | None = None,
) -> None:
    """Keep the live view up to date until `stop` is set.

    Lanes share out the partitions by their numbers, and each has a consumer, a session and transactions of its own: a
    workspace's events, whose key is the workspace, are always one lane's. When the load asks for another number of
    lanes, all end between two batches, and the others go on from what is committed.

    A server that is away is waited for; everything uncommitted is read again then. What the database refuses and what
    cannot be read becomes a dead letter.

    Args:
        bootstrap: Kafka's bootstrap servers.
        registry_url: base URL of the registry's Confluent-compatible API.
        dsn: the database, as a role that may write `live`.
        stop: set by this function, too, when it ends: no lane goes on by itself.
        load: says how many lanes there are to be; each beyond the first takes some 80 MB.
        metrics: counts what is done.

    Raises:
        ProjectionError: live cannot go on by itself; the subclass says why.
    """
    servers = _Servers(bootstrap, dsn, Codec(registry_url))
    told = _Told(metrics or Metrics(), ShareAlert(), load, Outages())
    try:
        while not stop.is_set():
            _run(servers, load.lanes, told, stop)
    finally:
        stop.set()


def _run(servers: _Servers, lanes: int, told: _Told, stop: threading.Event) -> None:
    """Keep so many lanes going until `stop` is set or the load asks for another number; set it when one fails."""
    told.metrics.lanes(lanes)
    with ThreadPoolExecutor(lanes, "lane") as pool:
        try:
            ran = [pool.submit(_keep_following, servers, Lane(number, lanes), told, stop) for number in range(lanes)]
            for lane in as_completed(ran):
                lane.result()
        except BaseException:
            stop.set()
            raise


@dataclass(frozen=True)
class _Servers:
    bootstrap: str
    dsn: str
    codec: Codec


@dataclass(frozen=True)
class _Told:
    """Where all lanes tell what they do."""

    metrics: Metrics
    alert: ShareAlert
    load: Load
    outages: Outages


def _keep_following(servers: _Servers, lane: Lane, told: _Told, stop: threading.Event) -> None:
    while _goes_on(lane, told, stop):
        try:
            _follow(servers, lane, told, stop)
        except pg.ProgramLimitExceeded:
            raise
        except _AWAY as error:
            told.metrics.outage(error)
            stop.wait(told.outages.begun(lane, error))


def _goes_on(lane: Lane, told: _Told, stop: threading.Event) -> bool:
    return told.load.lanes == lane.of and not stop.is_set()


def _follow(servers: _Servers, lane: Lane, told: _Told, stop: threading.Event) -> None:
    """Follow the lane's part of the log until `stop` is set, the load asks for another number of lanes, a server goes
    away, or the topics are not the same."""
    admin = AdminClient({"bootstrap.servers": servers.bootstrap}, logger=KAFKA_LOG)
    topics = describe(admin)
    messages = Reader(servers.codec, {name: topic.topic_id for name, topic in topics.items()})

    def read() -> tuple[list[Record], Batch]:
        batch = kafka.next()
        return messages.read(batch.messages), batch

    with (
        View.opened(servers.dsn, topics, lane.part) as view,
        Log(servers.bootstrap, view.positions) as kafka,
        told.metrics.following(lambda: kafka.lag(view.positions), lambda: view.fencings),
        ThreadPoolExecutor(1, "read-ahead") as reader,  # where there is much: decodes while PostgreSQL merges
    ):
        ahead: Future | None = None
        looked = heard = time.monotonic()
        while _goes_on(lane, told, stop):
            records, batch = ahead.result() if ahead else read()
            ahead = reader.submit(read) if len(records) >= _AHEAD else None
            began = time.monotonic()
            decided = view.write(records, batch.positions)
            told.metrics.committed(records, decided, time.monotonic() - began)
            if records:
                heard = time.monotonic()
            elif time.monotonic() - heard > _ASK_AGAIN:  # else an idle projector would not notice a restart
                view.ask()
                heard = time.monotonic()
            told.outages.over(lane)
            tell_each([record for record in records if record.reason is not None])
            told.alert.count(len(records), len(records) - decided.total())
            told.load.count(len(records), waiting=sum(kafka.lag(view.positions).values()), of=lane.of)
            if time.monotonic() - looked > _LOOK_AGAIN:
                if describe(admin) != topics:
                    return
                view.ask()
                looked = time.monotonic()
