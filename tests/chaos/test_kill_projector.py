"""Kill -9 of the projector at any step of a batch: each event is in the view once, whatever PostgreSQL had of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ingestion import events
from ingestion.codec import Codec
from ingestion.producer import EventProducer
from ingestion.projection import Load, run
from ingestion.projection.log import describe
from outlay.settings import Settings
from tests.chaos.kill_points import POINTS
from tests.integration.databases import fresh_database
from tests.support import PROJECT, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
COUNT = 40


@pytest.fixture(scope="module")
def database(stack) -> Iterator[str]:
    """A view of its own that begins where the log ends now."""
    with fresh_database(stack.dsn("owner")) as dsn:
        admin = AdminClient({"bootstrap.servers": stack.bootstrap})
        topics = describe(admin)
        places = {TopicPartition(t, p): OffsetSpec.latest() for t in topics for p in range(topics[t].partitions)}
        ends = {place: future.result().offset for place, future in admin.list_offsets(places).items()}
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO live.offsets (topic, topic_id, partition, next_offset) VALUES (%s, %s, %s, %s)",
                [(place.topic, topics[place.topic].topic_id, place.partition, end) for place, end in ends.items()],
            )
        yield dsn


def purchase(workspace_id: UUID, number: int, version: int = 1) -> dict:
    return events.transaction(
        workspace_id=workspace_id,
        transaction_id=events.derived_id(workspace_id, number),
        event_id=events.derived_id(workspace_id, number, version),
        version=version,
        operation="recorded" if version == 1 else "amended",
        account_id=UUID(int=1),
        kind="expense",
        occurred_on=date(2026, 5, 1),
        amount=Decimal(number + version),
        currency="EUR",
        source="app",
    )


def send(stack: Settings, log: list[dict]) -> None:
    with EventProducer(stack.bootstrap, Codec(stack.registry), client_id="test") as producer:
        for event in log:
            producer.send("transaction", event)
        assert producer.flush(60) == 0


def in_view(dsn: str, workspace_id: UUID) -> dict[UUID, tuple[int, Decimal]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT transaction_id, version, amount FROM live.transactions WHERE workspace_id = %s", (workspace_id,)
        ).fetchall()
    return {transaction_id: (version, amount) for transaction_id, version, amount in rows}


def decisions(dsn: str, workspace_id: UUID) -> list[tuple[int, str]]:
    """Offset and decision of each event in the order of the log; a workspace's events are in one partition."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            'SELECT "offset", decision FROM live.events WHERE workspace_id = %s ORDER BY "offset"', (workspace_id,)
        ).fetchall()


@pytest.mark.parametrize("point", POINTS)
def test_a_projector_killed_at_this_point_loses_and_doubles_nothing(stack, database, point):
    workspace = uuid4()
    first = [purchase(workspace, number) for number in range(COUNT)]
    log = [*first, *(purchase(workspace, number, version=2) for number in range(0, COUNT, 4)), *first[:5]]
    send(stack, log)

    command = [sys.executable, "-m", "tests.chaos.kill_points", point, stack.bootstrap, stack.registry, database]
    killed = subprocess.run(command, cwd=PROJECT, timeout=120, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert bool(decisions(database, workspace)) == (point == "committed")

    stop = threading.Event()
    given = {
        "bootstrap": stack.bootstrap,
        "registry_url": stack.registry,
        "dsn": database,
        "stop": stop,
        "load": Load(2, fewest=2),
    }
    after = threading.Thread(target=run, kwargs=given)
    after.start()
    try:
        until(lambda: len(decisions(database, workspace)) == len(log), what="the next projector has read the rest")
    finally:
        stop.set()
        after.join(30)
    decided = decisions(database, workspace)
    assert [decision for _, decision in decided] == ["accepted"] * (len(log) - 5) + ["duplicate"] * 5
    assert [offset for offset, _ in decided] == list(range(decided[0][0], decided[0][0] + len(log)))
    assert in_view(database, workspace) == {
        events.derived_id(workspace, number): (2, Decimal(number + 2)) if number % 4 == 0 else (1, Decimal(number + 1))
        for number in range(COUNT)
    }
