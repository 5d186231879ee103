"""Live follows the log: through garbage, a restart of PostgreSQL and a rival, and always to the same view."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import Producer

from ingestion import events
from ingestion.codec import Codec
from ingestion.contracts import TOPICS
from ingestion.producer import Delivery, EventProducer
from ingestion.projection import Load, LogTruncated, Metrics, run
from outlay.settings import Settings
from tests.integration.databases import fresh_database
from tests.integration.projecting import projector
from tests.support import PROJECT, until

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture
def database(stack) -> Iterator[str]:
    """A second, empty live view of the same log."""
    with fresh_database(stack.dsn("owner")) as dsn:
        yield dsn


def purchase(workspace_id: UUID, number: int, **changes) -> dict:
    given = dict(
        workspace_id=workspace_id,
        transaction_id=events.derived_id(workspace_id, number),
        account_id=UUID(int=1),
        kind="expense",
        occurred_on=date(2026, 5, 1),
        amount=Decimal(number) / 100,
        currency="EUR",
        source="simulator",
    )
    return events.transaction(**{**given, **changes})


def send(stack: Settings, batch: list[dict]) -> list[Delivery]:
    """Append to `transaction`, as a feed from outside does; returns where each stands."""
    deliveries: list[Delivery] = []
    with EventProducer(stack.bootstrap, Codec(stack.registry), client_id="test") as producer:
        for event in batch:
            producer.send("transaction", event, deliveries.append)
        assert producer.flush(60) == 0
    assert [delivery.error for delivery in deliveries if delivery.error] == []
    return deliveries


def rows(dsn: str, query: str, *values) -> list[tuple]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, values).fetchall()


def versions(dsn: str, workspace_id: UUID) -> dict[UUID, int]:
    return dict(
        rows(dsn, "SELECT transaction_id, version FROM live.transactions WHERE workspace_id = %s", workspace_id)
    )


def offsets(dsn: str) -> dict[tuple[str, int], int]:
    return {(t, p): n for t, p, n in rows(dsn, "SELECT topic, partition, next_offset FROM live.offsets")}


def test_random_bytes_on_each_topic_become_dead_letters_and_live_goes_on(stack):
    owner = stack.dsn("owner")
    garbage = {topic: b"\xff" + os.urandom(200) for topic in TOPICS}
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    for topic, value in garbage.items():
        producer.produce(topic, value, key=b"nobody", headers=[("from", topic.encode()), ("empty", None)])
    assert producer.flush(30) == 0
    workspace = uuid4()
    send(stack, [purchase(workspace, 1)])
    until(lambda: versions(owner, workspace), what="live goes on after the garbage", seconds=30)
    found = until(
        lambda: len(letters := rows(
            owner,
            "SELECT topic, value, key, headers, reason FROM live.dead_letters WHERE value = ANY(%s) ORDER BY topic",
            list(garbage.values()),
        )) == 4 and letters,
        what="four dead letters",
        seconds=30,
    )  # fmt: skip
    for topic, value, key, headers, reason in found:
        assert value == garbage[topic]
        assert key == b"nobody"
        assert headers == [["from", b64encode(topic.encode()).decode()], ["empty", None]]
        assert reason == f"expected magic byte 0 and a schema id, got 201 bytes starting {value[:5].hex()}"


def test_a_view_built_from_the_start_is_the_same_to_the_last_decision(stack, database):
    workspace = uuid4()
    first = [purchase(workspace, number) for number in range(50)]
    twice = first[::7]
    amended = [purchase(workspace, number, version=2, operation="amended") for number in range(0, 50, 3)]
    late = [purchase(workspace, number, version=1, note="late") for number in range(0, 50, 5)]
    send(stack, [*first, *twice, *amended, *late])
    query = 'SELECT topic_id, partition, "offset", decision, state FROM live.events WHERE workspace_id = %s'
    with projector(stack, database):
        for dsn in (stack.dsn("owner"), database):
            sent = len(first) + len(twice) + len(amended) + len(late)
            until(lambda dsn=dsn, sent=sent: len(rows(dsn, query, workspace)) == sent, what="all is decided")
        assert sorted(map(str, rows(database, query, workspace))) == sorted(
            map(str, rows(stack.dsn("owner"), query, workspace))
        )
    decided = [decision for *_, decision, _ in rows(database, query, workspace)]
    assert {kind: decided.count(kind) for kind in decided} == {
        "accepted": len(first) + len(amended),
        "duplicate": len(twice),
        "stale": len(late),
    }
    assert versions(database, workspace) == {
        event["transaction_id"]: 2 if number % 3 == 0 else 1 for number, event in enumerate(first)
    }


def test_what_the_projector_tells_prometheus_is_what_is_in_the_view(stack, database):
    workspace, metrics = uuid4(), Metrics()
    with projector(stack, database, metrics):
        sent = [purchase(workspace, number, source="app") for number in range(20)]
        send(stack, [*sent, sent[0]])
        until(lambda: len(versions(database, workspace)) == 20, what="all is in the view", seconds=60)
        until(lambda: set(lags(metrics)) == set(offsets(database)), what="Kafka has told where each partition ends")
        until(lambda: set(lags(metrics).values()) == {0}, what="all is read")
        counted = metrics.registry.get_sample_value
        held = dict(rows(database, "SELECT decision, count(*) FROM live.events WHERE topic = 'transaction' GROUP BY 1"))
        assert held == {
            decision: counted("outlay_live_events_total", {"topic": "transaction", "decision": decision})
            for decision in held
        }
        assert counted("outlay_live_recorded_to_committed_seconds_count") >= 21


def lags(metrics: Metrics) -> dict[tuple[str, int], float]:
    return {
        (sample.labels["topic"], int(sample.labels["partition"])): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if family.name == "outlay_live_lag_messages"
    }


def test_postgresql_restarted_while_live_reads_loses_and_doubles_nothing(stack, database):
    workspace, count = uuid4(), 20_000
    place = 'SELECT count(*), count(DISTINCT (topic_id, partition, "offset")) FROM live.events WHERE workspace_id = %s'
    with projector(stack, database) as live:
        send(stack, [purchase(workspace, number) for number in range(count)])
        until(lambda: answered(database), what="live has begun", seconds=60)
        restart_postgresql(stack)
        until(lambda: answered(database) and rows(database, place, workspace) == [(count, count)], what="all is there")
        assert live.is_alive()
    assert versions(database, workspace) == {events.derived_id(workspace, number): 1 for number in range(count)}
    [(total,)] = rows(database, "SELECT sum(amount) FROM live.transactions WHERE workspace_id = %s", workspace)
    assert total == sum(Decimal(number) / 100 for number in range(count))


def answered(dsn: str) -> bool:
    """Whether the database answers and live has read something."""
    try:
        return any(offsets(dsn).values())
    except psycopg.OperationalError:
        return False


def restart_postgresql(stack: Settings) -> None:
    """A fast shutdown, as a restart of the machine gives; the supervisor starts it again."""
    owner = stack.dsn("owner")
    [(folder, started)] = rows(owner, "SELECT current_setting('data_directory'), pg_postmaster_start_time()")
    os.kill(int((Path(folder) / "postmaster.pid").read_text().splitlines()[0]), signal.SIGINT)

    def restarted() -> bool:
        try:
            return rows(owner, "SELECT pg_postmaster_start_time()") != [(started,)]
        except psycopg.OperationalError:
            return False

    until(restarted, what="PostgreSQL is started again")


def test_a_log_that_no_longer_holds_the_next_event_stops_live(stack, database):
    workspace = uuid4()
    send(stack, [purchase(workspace, 1)])
    with projector(stack, database):
        until(lambda: versions(database, workspace), what="live has begun", seconds=60)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE live.offsets SET next_offset = 1000000000 WHERE topic = 'report'")
    with pytest.raises(
        LogTruncated, match=r"Kafka cannot give the next event of report/\d+ .*rebuild live from bronze"
    ):
        run(
            bootstrap=stack.bootstrap,
            registry_url=stack.registry,
            dsn=database,
            stop=threading.Event(),
            load=Load(2, fewest=2),
        )


def test_a_second_lane_comes_when_there_is_much_and_goes_when_there_is_little(stack, database, monkeypatch):
    """The lanes change several times; each event stands in live once, and all versions of a thing in order."""
    monkeypatch.setattr("ingestion.projection.log.MAX_BATCH", 100)
    workspaces, metrics = [uuid4() for _ in range(8)], Metrics()

    def lanes() -> float:
        return metrics.registry.get_sample_value("outlay_live_lanes")

    with projector(stack, database, metrics, Load(2, much=100)):
        for version in (1, 2):
            batch = [purchase(workspace, number, version=version) for number in range(500) for workspace in workspaces]
            with psycopg.connect(database) as connection:  # so that much waits to be read
                connection.execute("LOCK TABLE live.offsets")
                send(stack, batch)
            until(lambda: lanes() == 2, what="a second lane")
            until(
                lambda version=version: all(
                    versions(database, workspace) == {events.derived_id(workspace, n): version for n in range(500)}
                    for workspace in workspaces
                ),
                what="all is read",
            )
            until(lambda: lanes() == 1, what="one lane again")
    assert rows(
        database,
        "SELECT version, decision, count(*) FROM live.events WHERE workspace_id = ANY(%s) GROUP BY 1, 2 ORDER BY 1",
        workspaces,
    ) == [(1, "accepted", 4_000), (2, "accepted", 4_000)]


def test_of_two_projectors_one_is_fenced_and_says_so_and_the_view_is_right(stack, database, tmp_path):
    environment = {**os.environ, "OUTLAY_HOME": str(stack.home), "OUTLAY_DATABASE_URL": database}
    both, logs = [], {}
    for name in ("first", "second"):
        with (tmp_path / name).open("w") as log:  # a pipe that nobody reads would fill up and stop its writer
            command = [sys.executable, "-m", "outlay", "live"]
            both.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=PROJECT, env=environment))
        logs[both[-1]] = tmp_path / name
    try:
        workspace, sent = uuid4(), 0
        for _ in range(200):
            send(stack, [purchase(workspace, sent + number) for number in range(50)])
            sent += 50
            if any(process.poll() is not None for process in both):
                break
        fenced = next(process for process in both if process.poll() is not None)
        survivor = next(process for process in both if process is not fenced)
        *_, said, error = logs[fenced].read_text().splitlines()
        said = json.loads(said)
        assert (fenced.returncode, said["kind"], said["level"]) == (1, "Fenced", "error")
        assert "only one may run" in error
        until(lambda: len(versions(database, workspace)) == sent, what="the survivor reads to the end")
        assert rows(
            database, "SELECT decision, count(*) FROM live.events WHERE workspace_id = %s GROUP BY 1", workspace
        ) == [("accepted", sent)]
        survivor.send_signal(signal.SIGTERM)
        assert survivor.wait(30) == 0
        assert json.loads(logs[survivor].read_text().splitlines()[-1])["event"] == "live stopped"
    finally:
        for process in both:
            process.kill()
            process.wait()
