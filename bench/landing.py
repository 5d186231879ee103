"""How many events a second land in bronze, beside the most that this machine could land, measured in the same run.

The limit reads the same offsets and writes the same values to one file, with nothing else: no check, no key, no place,
no compression, no manifest; `fsync` at its end. Each runs in a process of its own, one after the other.

Needs servers: `outlay up --only postgres,kafka,registry`, then `outlay bench landing --events 300000`. What waits to
be landed is landed first, and not measured. The events go to the transaction topic and stay there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from bench import purchases
from ingestion.landing import land, manifest
from ingestion.landing.log import Log
from outlay.db import session
from outlay.settings import settings

TOPIC = purchases.TOPIC


class Cost(NamedTuple):
    events: int
    seconds: float
    cpu: float  # seconds, of the whole process but for its imports
    peak: int  # bytes of memory, the interpreter and its libraries included
    base: int  # bytes of memory before it began

    def __str__(self) -> str:
        return (
            f"{self.events / self.seconds:>9,.0f} events/s  {self.cpu / self.events * 1e6:>5.1f} us of CPU an event"
            f"  peak {self.peak / 2**20:,.0f} MiB ({self.base / 2**20:,.0f} before it began)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    count = parser.parse_args().events
    _land()
    starts = _stands()
    began = time.perf_counter()
    purchases.write(count)
    print(f"{count:,} events written in {time.perf_counter() - began:.1f} s")
    limit = _apart(_copy, starts, _ends())
    print(f"limit    {limit}")
    landing = _apart(_land)
    print(f"landing  {landing}")
    ratio = limit.seconds / limit.events / (landing.seconds / landing.events)
    print(f"landing is at {ratio:.0%} of the limit")
    if landing.events != limit.events:
        raise SystemExit(f"expected both to take the same events: {limit.events} were copied, {landing.events} landed")


def _land() -> int:
    here = settings()
    (landed,) = land(
        bootstrap=here.bootstrap,
        registry_url=here.registry,
        lake=here.lake,
        connect=lambda: session("pipeline"),
        topics=[TOPIC],
    )
    return landed.rows + landed.unreadable


def _copy(starts: dict[int, int], ends: dict[int, int]) -> int:
    """Read the offsets and write the values; returns how many."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings().bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
        }
    )
    copied, left = 0, {p for p, end in ends.items() if end > starts.get(p, 0)}
    consumer.assign([TopicPartition(TOPIC, partition, starts.get(partition, 0)) for partition in left])
    with tempfile.TemporaryFile() as file:
        while left:
            messages = consumer.consume(10_000, 0.05)
            file.writelines([message.value() for message in messages])
            copied += len(messages)
            for last in {message.partition(): message for message in messages}.values():
                if last.offset() + 1 >= ends[last.partition()]:
                    left.discard(last.partition())
        file.flush()
        os.fsync(file.fileno())
    consumer.close()
    return copied


def _stands() -> dict[int, int]:
    """Where landing stands, by partition."""
    with Log(settings().bootstrap) as log, session("pipeline") as connection:
        (topic,) = log.topics([TOPIC])
        return manifest.offsets(connection, topic.name, topic.topic_id)


def _ends() -> dict[int, int]:
    """Where the log ends, by partition."""
    with Log(settings().bootstrap) as log:
        return {partition: end for (_, partition), end in log.ends(log.topics([TOPIC])).items()}


def _apart(work: Callable[..., int], *given: object) -> Cost:
    """Run `work` in a new process and measure it there."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_measured, args=(answers, work, given))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"{work.__name__} failed: see above")
    return Cost(*answers.get())


def _measured(answers: multiprocessing.SimpleQueue, work: Callable[..., int], given: tuple) -> None:
    base, began, used = _memory("VmRSS"), time.perf_counter(), time.process_time()
    count = work(*given)
    answers.put((count, time.perf_counter() - began, time.process_time() - used, _memory("VmHWM"), base))


def _memory(line: str) -> int:
    """Bytes, by the name that Linux gives them for this process."""
    text = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(line))
    return int(text.split()[1]) << 10


if __name__ == "__main__":
    main()
