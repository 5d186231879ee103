"""The most that this machine could do with the same rows: without Kafka, without decoding, or without PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
from confluent_kafka import Message

from bench.live import plain, scene
from bench.live.scene import Places, Scene
from bench.live.system import TOPIC
from ingestion.codec import Codec
from ingestion.projection.lane import Lane
from ingestion.projection.log import MAX_BATCH, Partition
from ingestion.projection.records import Record
from ingestion.projection.view import View
from ingestion.screened import Screens
from outlay.settings import settings


def merged(at: Scene, batches: Sequence[list[Record]]) -> float:
    """Events a second of the production merge, in as many lanes as the projector may have, of batches read before."""
    lanes = [Lane(number, settings().live_lanes) for number in range(settings().live_lanes)]
    start = Barrier(len(lanes) + 1, timeout=60)

    def merge(lane: Lane) -> None:
        own = [record for batch in batches for record in batch if lane.has(record.partition)]
        with View.opened(at.task.dsn, at.topics, lane.part) as view:
            start.wait()
            scene.write(view, [own[n : n + MAX_BATCH] for n in range(0, len(own), MAX_BATCH)])

    with ThreadPoolExecutor(len(lanes)) as pool:
        merging = [pool.submit(merge, lane) for lane in lanes]
        start.wait()
        began = time.perf_counter()
        for each in merging:
            each.result()
        return sum(map(len, batches)) / (time.perf_counter() - began)


def upserted(at: Scene, batches: Sequence[list[Message]]) -> float:
    """Events a second of COPY and a plain upsert in one session, as `plain` has, each batch packed before."""
    screens = Screens(Codec(settings().registry), TOPIC)
    packed = [(plain.rows(screens, batch), {Partition(m.topic(), m.partition()): m.offset() + 1 for m in batch})
              for batch in batches]  # fmt: skip
    positions = {place: offset for place, offset in at.start.items() if place.topic == TOPIC}
    with psycopg.connect(at.task.dsn, autocommit=True) as connection:
        plain.begin(connection, at.task.start)
        connection.execute(plain.SQL["session"])
        began = time.perf_counter()
        for rows, moved in packed:
            plain.write(connection, rows, positions, moved)
            positions |= moved
        return sum(map(len, batches)) / (time.perf_counter() - began)


def consumed(start: Places, end: Places) -> tuple[float, list[list[Message]]]:
    """Messages a second that come from Kafka when nothing is done with them, and the messages in batches."""
    began = time.perf_counter()
    messages = [message for batch in scene.consumed(start, end) for message in batch]
    rate = len(messages) / (time.perf_counter() - began)
    return rate, [messages[n : n + MAX_BATCH] for n in range(0, len(messages), MAX_BATCH)]
