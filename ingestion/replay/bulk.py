"""The bulk of the log, loaded into tables without indexes: each partition as one batch, several partitions at once.

The decisions are those of the projector's merge, because they are made by its statements. What PostgreSQL refuses
there leaves its partition empty, to be loaded by the merge itself, which finds the event and makes it a dead letter.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ingestion import garbage, named
from ingestion.codec import Codec
from ingestion.landing.log import Log
from ingestion.projection.log import Partition, Topic
from ingestion.projection.merge import statements
from ingestion.projection.rows import END, SIGNATURE
from ingestion.projection.view import REFUSED, letter_row
from ingestion.replay import sessions
from ingestion.replay.source import Read, Source
from ingestion.replay.twin import TWIN

PROCESSES_FROM = 100_000
"""Offsets from which on processes of their own pay for their start."""

_SQL = named.statements(Path(__file__).with_suffix(".sql"))
TOTALS = _SQL["totals"]
"""The statement that fills the twin's monthly totals from its transactions."""

_STEPS = ("decide", "events", "transactions", "lines", "entities")
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Task:
    """A partition to be loaded from its beginning up to, and without, the offset `end`."""

    place: Partition
    end: int
    topics: Mapping[str, Topic]
    dsn: str
    lake: str
    bootstrap: str
    registry_url: str


def load(
    target: Mapping[Partition, int],
    *,
    topics: Mapping[str, Topic],
    dsn: str,
    lake: str,
    bootstrap: str,
    registry_url: str,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Read:
    """Load the partitions into the twin, which is empty and has no indexes; returns what was read.

    A partition that PostgreSQL refuses something of stays empty, and its offset unknown.

    Args:
        target: the offsets to read up to.
        on_progress: told how many offsets the twin stands beyond their beginnings.

    Raises what `Source.packed` raises.
    """
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        places = [
            (name, topic.topic_id, number) for name, topic in topics.items() for number in range(topic.partitions)
        ]
        cursor.executemany(_SQL["begin_partition"], places)
    tasks = [
        Task(place, end, topics, dsn, lake, bootstrap, registry_url)
        for place, end in sorted(target.items(), key=lambda item: -item[1])
        if end
    ]
    total, done, read = sum(task.end for task in tasks), 0, Read()
    if total < PROCESSES_FROM:
        for task in tasks:
            read += load_partition(task)
            on_progress(done := done + task.end)
        return read
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawning, initializer=_begin) as processes:
        running = {processes.submit(load_partition, task): task for task in tasks}
        try:
            for future in as_completed(running):
                read += future.result()
                on_progress(done := done + running[future].end)
        except BaseException:
            processes.shutdown(wait=True, cancel_futures=True)
            raise
    return read


def load_partition(task: Task) -> Read:
    """Load one partition in one transaction; returns what was read, nothing if PostgreSQL refused."""
    sql = statements(TWIN, known=_SQL["known"], order="row")
    with (
        sessions.opened(task.dsn) as connection,
        sessions.opened(task.dsn) as reading,
        Log(task.bootstrap) as log,
    ):
        connection.execute(sql["session"])
        connection.execute(_SQL["session"])
        source = Source(reading, task.lake, log, Codec(task.registry_url), task.topics)
        try:
            with connection.transaction(), connection.cursor() as cursor:
                first = cursor.execute(_SQL["next_blocks"]).fetchone()
                _fill(cursor, sql, source, task)
        except REFUSED:
            return Read()
        for name, block in zip(("mark_events", "mark_transactions"), first, strict=True):
            connection.execute(_SQL[name], (f"({block},0)",))
        return source.read


def _fill(cursor: psycopg.Cursor, sql: Mapping[str, str], source: Source, task: Task) -> None:
    for rows, letters in source.packed(task.place, 0, task.end):
        if letters:
            cursor.executemany(sql["dead_letter"], [letter_row(letter) for letter in letters])
        if rows:
            with cursor.copy(sql["copy"]) as copy:
                copy.write(b"".join([SIGNATURE, *rows, END]))
    for step in _STEPS:
        cursor.execute(sql[step])
    cursor.execute(_SQL["move"], (task.end, *task.place))


def _begin() -> None:
    """In a process of its own; one whose replay was killed leaves nothing that works on."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    garbage.collect_seldom()
    garbage.keep_freed()
