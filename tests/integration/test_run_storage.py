"""Dagster's storage goes on with the connection that it has, and without a word with another one when that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import EngineEventData
from dagster._core.events.log import EventLogEntry

from outlay.stack.run_storage import KeptPostgresStorage
from tests.integration.databases import fresh_database

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture
def database(stack) -> Iterator[str]:
    with fresh_database(stack.dsn("owner")) as dsn:
        yield dsn


def kept_in(database: str) -> KeptPostgresStorage:
    driver = database.replace("postgresql:", "postgresql+psycopg2:")  # the one that Dagster's statements are for
    return KeptPostgresStorage.from_config_value(None, {"postgres_url": driver})


@pytest.fixture
def storage(database) -> Iterator[KeptPostgresStorage]:
    kept = kept_in(database)
    yield kept
    for part in (kept.run_storage, kept.event_log_storage, kept.schedule_storage):
        part.dispose()


def happening(run_id: str, message: str) -> EventLogEntry:
    event = DagsterEvent(
        event_type_value=DagsterEventType.ENGINE_EVENT.value,
        job_name="build",
        message=message,
        event_specific_data=EngineEventData(),
    )
    return EventLogEntry(
        *(None, 10, message, run_id, 1_700_000_000.0), step_key=None, job_name="build", dagster_event=event
    )


def sessions(database: str, *, end: bool = False) -> list[int]:
    """The pids of the other sessions in this database; with `end`, they are ended."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        pids = sorted(pid for (pid,) in rows.fetchall())
        for pid in pids if end else ():
            assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,)).fetchone() == (True,)
    return pids


def test_a_runs_events_go_through_one_connection(storage, database):
    run_id = str(uuid4())
    storage.event_log_storage.store_event(happening(run_id, "first"))
    before = sessions(database)
    for number in range(20):
        storage.event_log_storage.store_event(happening(run_id, f"event {number}"))
    assert sessions(database) == before
    told = [entry.message for entry in storage.event_log_storage.get_logs_for_run(run_id)]
    assert told == ["first", *(f"event {number}" for number in range(20))]


@pytest.mark.parametrize("as_webserver", [False, True])
def test_a_connection_that_the_server_ended_is_replaced_unseen(storage, database, as_webserver):
    parts = (storage.run_storage, storage.event_log_storage, storage.schedule_storage)
    if as_webserver:
        for part in parts:
            part.optimize_for_webserver(statement_timeout=5_000, pool_recycle=3_600, max_overflow=20)
    run_id = str(uuid4())
    storage.event_log_storage.store_event(happening(run_id, "before"))
    assert storage.run_storage.get_runs() == []
    assert storage.schedule_storage.all_instigator_state() == []
    assert sessions(database, end=True)
    storage.event_log_storage.store_event(happening(run_id, "after"))
    assert storage.run_storage.get_runs() == []
    assert storage.schedule_storage.all_instigator_state() == []
    assert [entry.message for entry in storage.event_log_storage.get_logs_for_run(run_id)] == ["before", "after"]


def test_a_webserver_waits_no_longer_for_a_statement_than_it_was_told(storage):
    storage.run_storage.optimize_for_webserver(statement_timeout=4_000, pool_recycle=3_600, max_overflow=20)
    with storage.run_storage.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "4s"


def test_what_is_no_longer_used_holds_no_connection(database):
    storage = kept_in(database)
    storage.run_storage.get_runs()
    assert sessions(database)
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.dispose()
    assert sessions(database) == []
