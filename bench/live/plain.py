"""The projector's parts at the peers' semantics: a plain upsert into one table, no history, no decisions, no totals.

It reads the log, checks and decodes as `outlay live` does, and moves its offsets in the transaction that upserts, so it
is as exact. Only the merge is another: that is what the peers are compared with.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psycopg
from confluent_kafka import Message

from bench.live.system import TOPIC, Running, System, Task
from ingestion import garbage, named, packing
from ingestion.codec import Codec
from ingestion.columns import TO_2000, Content
from ingestion.packing import Sheet
from ingestion.projection.log import Batch, Log, Partition
from ingestion.projection.rows import END, SIGNATURE
from ingestion.screened import Screens
from outlay.signals import stop_on_signals

SQL = named.statements(Path(__file__).with_name("plain.sql"))
_DAYS_TO_2000 = TO_2000 // 86_400_000_000
_IDS = ("workspace_id", "transaction_id", "event_id", "account_id")
_TEXTS = (
    "operation", "kind", "status", "amount", "currency", "merchant", "description", "category_id", "category_source",
    "decided_by", "source",
)  # fmt: skip
_FIELDS = struct.pack(">h", 8 + len(_IDS) + len(_TEXTS))


class Plain(System):
    """`python -m bench.live.plain` as a system under measurement."""

    name = "outlay plain"
    application = "bench-plain"

    def start(self, task: Task) -> Running:
        with psycopg.connect(task.dsn, autocommit=True) as connection:
            begin(connection, task.start)
        environment = os.environ | {
            "BENCH_DSN": task.dsn,
            "BENCH_KAFKA": task.bootstrap,
            "BENCH_REGISTRY": task.registry,
        }
        return Running([subprocess.Popen([sys.executable, "-m", "bench.live.plain"], env=environment)])


def run(dsn: str, bootstrap: str, registry: str, stop: threading.Event) -> None:
    """Upsert what comes until `stop` is set."""
    garbage.collect_seldom()
    garbage.keep_freed()
    screens = Screens(Codec(registry), TOPIC)
    with psycopg.connect(dsn, autocommit=True, application_name=Plain.application) as connection:
        connection.execute(SQL["session"])
        positions = {Partition(TOPIC, number): offset for number, offset in connection.execute(SQL["stand"])}

        def read_ahead() -> tuple[list[bytes], Batch]:
            batch = log.next()
            return rows(screens, batch.messages), batch

        with Log(bootstrap, positions) as log, ThreadPoolExecutor(1, "read-ahead") as reader:
            ahead = reader.submit(read_ahead)
            while not stop.is_set():
                made, batch = ahead.result()
                ahead = reader.submit(read_ahead)
                write(connection, made, positions, batch.positions)
                positions |= batch.positions


def begin(connection: psycopg.Connection, start: Mapping[int, int]) -> None:
    """Lay down where to begin, unless it is known."""
    connection.execute(SQL["offsets"])
    connection.cursor().executemany(SQL["begin"], list(start.items()))


def write(
    connection: psycopg.Connection, made: list[bytes], old: dict[Partition, int], new: dict[Partition, int]
) -> None:
    """Upsert and move on, in one transaction.

    Raises:
        RuntimeError: another one moves the offsets.
    """
    moves = [(offset, place.partition, old[place]) for place, offset in new.items() if offset != old[place]]
    if not moves:
        return
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(SQL["move"], moves)
        if cursor.rowcount != len(moves):
            raise RuntimeError("another one moves the offsets")
        if made:
            with cursor.copy(SQL["copy"]) as copy:
                copy.write(b"".join([SIGNATURE, *made, END]))
            cursor.execute(SQL["upsert"])


def rows(screens: Screens, messages: Sequence[Message]) -> list[bytes]:
    """The messages as rows of PostgreSQL's binary COPY, some of them behind each other.

    Raises:
        ValueError: one is no purchase of the benchmark.
    """
    made: list[bytes] = []
    values = [message.value() for message in messages]
    for written, numbers in screens.groups(values):
        columns = written.screen.read([values[number] for number in numbers])
        if not columns.flat.all():
            raise ValueError("not a purchase of the benchmark")
        content, chosen = Content(columns), [messages[number] for number in numbers]
        logged_at = np.array([message.timestamp()[1] for message in chosen]) * 1_000
        sheet = Sheet(len(chosen))
        sheet.constant(_FIELDS)
        sheet.copied(packing.numbers(content.numbers("version"), ">i4"))
        sheet.copied(packing.numbers(content.numbers("occurred_on") - _DAYS_TO_2000, ">i4"))
        for name in ("occurred_at", "recorded_at"):
            sheet.copied(packing.numbers(content.numbers(name), ">i8"))
        sheet.copied(packing.numbers([message.partition() for message in chosen], ">i4"))
        sheet.copied(packing.numbers([message.offset() for message in chosen], ">i8"))
        sheet.copied(packing.numbers(logged_at - TO_2000, ">i8"))
        sheet.copied(content.json("category_confidence"))
        for name in _IDS:
            sheet.copied(content.ids(name))
        for name in _TEXTS:
            sheet.copied(content.texts(name))
        made.append(sheet.joined())
    return made


if __name__ == "__main__":
    run(os.environ["BENCH_DSN"], os.environ["BENCH_KAFKA"], os.environ["BENCH_REGISTRY"], stop_on_signals())
