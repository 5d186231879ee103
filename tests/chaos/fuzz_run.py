"""Sends fuzzed messages through Kafka and a real projector into a view of their own, and checks every one of them.

python -m tests.chaos.fuzz_run --messages 1000000 --seed 1 [--json]

It starts servers of its own, in a folder that is gone afterwards.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from zlib import crc32

import psutil
import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from ingestion import contracts
from ingestion.codec import Codec
from ingestion.projection.log import Partition, describe
from ingestion.registry import register
from outlay.settings import Settings
from tests.chaos.fuzz import FOREIGN, LIMIT, ONE_FIELD, Fuzz, newer_schema, older_schema
from tests.chaos.fuzz_check import Findings, Sent, check
from tests.chaos.fuzz_view import view_from_here
from tests.homes import home_with
from tests.support import PROJECT

PROJECTOR = (
    "import sys, threading; from ingestion.projection import Load, run; "
    "bootstrap, registry, dsn = sys.argv[1:]; stop, load = threading.Event(), Load(2, fewest=2); "
    "run(bootstrap=bootstrap, registry_url=registry, dsn=dsn, stop=stop, load=load)"
)
STUCK = 120  # seconds without a message read
Say = Callable[[str], None]


@dataclass
class Report:
    """What a run has found. Seconds are of sending, of the projector until it stood at the end, and of checking."""

    seed: int
    messages: int
    findings: Findings
    changes: tuple[int, int]
    """Different changes of one field that were sent, and that there are."""
    sending: float
    projecting: float
    checking: float
    projector_mb: float
    checker_mb: float
    outages: int

    @property
    def one_field_share(self) -> float:
        return self.by_kind()[ONE_FIELD] / self.messages

    def by_kind(self) -> Counter[str]:
        return self._totals(0)

    def by_outcome(self) -> Counter[str]:
        return self._totals(1)

    def _totals(self, place: int) -> Counter[str]:
        totals: Counter[str] = Counter()
        for key, count in self.findings.outcomes.items():
            totals[key[place]] += count
        return totals

    def as_json(self) -> dict:
        return {
            "seed": self.seed,
            "messages": self.messages,
            "one_field_share": round(self.one_field_share, 4),
            "one_field_changes": self.changes,
            "outcomes": dict(self.by_outcome().most_common()),
            "kinds": {
                kind: {outcome: n for (of, outcome), n in sorted(self.findings.outcomes.items()) if of == kind}
                for kind, _ in self.by_kind().most_common()
            },
            "reasons": dict(self.findings.reasons.most_common()),
            "current_state_compared": dict(self.findings.current.most_common()),
            "seconds": {name: round(getattr(self, name), 1) for name in ("sending", "projecting", "checking")},
            "messages_per_second": round(self.messages / self.projecting),
            "projector_mb": round(self.projector_mb),
            "checker_mb": round(self.checker_mb),
            "outages": self.outages,
            "failed": self.findings.failed,
            "failures": self.findings.failures,
        }


def fuzzed(chosen: Settings, *, seed: int, count: int, say: Say = lambda _: None) -> Report:
    """Send `count` messages, let a projector read them to the end, and check each.

    Raises:
        RuntimeError: the projector ended, or stands still.
    """
    codec = Codec(chosen.registry)

    def registered(prefix: str, of: Callable[[str], dict], topics: Sequence[str]) -> dict[str, int]:
        return {topic: register(chosen.registry, f"{prefix}-{topic}", of(topic)) for topic in topics}

    fuzz = Fuzz(
        seed,
        {topic: register(chosen.registry, topic, contracts.schema(topic)) for topic in contracts.TOPICS},
        newer=registered("fuzz-newer", newer_schema, contracts.TOPICS),
        older=registered("fuzz-older", older_schema, ("transaction", "report")),
        foreign=tuple(register(chosen.registry, f"fuzz-foreign-{n}", schema) for n, schema in enumerate(FOREIGN)),
    )
    with view_from_here(chosen) as (dsn, ends):
        as_projector = urlunsplit(urlsplit(chosen.dsn("projector"))._replace(path=urlsplit(dsn).path))
        with _projector(chosen, as_projector) as projector:
            began = time.monotonic()
            sent, kinds, changes = _send(chosen.bootstrap, fuzz, count, ends, projector, say)
            sending = time.monotonic() - began
            say(f"sent {count:,} messages in {sending:.0f} s")
            _wait(projector, dsn, {place: of.begin + len(of.kinds) for place, of in sent.items()}, count, say)
            projecting = time.monotonic() - began
            say(f"live stands at the end after {projecting:.0f} s")
        began = time.monotonic()
        findings = check(
            bootstrap=chosen.bootstrap,
            codec=codec,
            dsn=dsn,
            sent=sent,
            kinds=kinds,
            topic_ids={
                name: topic.topic_id
                for name, topic in describe(AdminClient({"bootstrap.servers": chosen.bootstrap})).items()
            },
        )
    return Report(
        seed=seed,
        messages=count,
        findings=findings,
        changes=(changes, len(fuzz.changes)),
        sending=sending,
        projecting=projecting,
        checking=time.monotonic() - began,
        projector_mb=projector.peak / 1e6,
        checker_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        outages=projector.outages,
    )


class _Projector:
    """A running projector. `peak` is the most memory that it was seen with, in bytes; `outages` are told at its end."""

    def __init__(self, process: subprocess.Popen, log: Path):
        self._process, self.log = process, log
        self.peak, self.outages = 0.0, 0

    def look(self) -> None:
        """Raises RuntimeError when it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the projector ended: {self.log.read_text()[-3_000:]}")
        self.peak = max(self.peak, psutil.Process(self._process.pid).memory_info().rss)


@contextmanager
def _projector(chosen: Settings, dsn: str) -> Iterator[_Projector]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "projector.log"
        with log.open("w") as out:
            command = [sys.executable, "-c", PROJECTOR, chosen.bootstrap, chosen.registry, dsn]
            process = subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=out)
        try:
            yield (projector := _Projector(process, log))
            projector.look()
        finally:
            process.kill()
            process.wait()
            projector.outages = log.read_text().count("a server is away")


def _send(
    bootstrap: str, fuzz: Fuzz, count: int, ends: dict[Partition, int], projector: _Projector, say: Say
) -> tuple[dict[Partition, Sent], list[str], int]:
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "message.max.bytes": LIMIT,
            "queue.buffering.max.kbytes": 65_536,
        }
    )
    refused: list[str] = []

    def delivered(error: object, message: object) -> None:
        if error is not None:
            refused.append(str(error))

    sent = {place: Sent(end) for place, end in ends.items()}
    numbers: dict[str, int] = {}
    details: set[str] = set()
    for position, message in enumerate(fuzz.messages(count)):
        while True:
            try:
                producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    message.partition,
                    headers=message.headers,
                    on_delivery=delivered,
                )
                break
            except BufferError:
                producer.poll(0.2)
                projector.look()
        of_it = sent[message.topic, message.partition]
        of_it.kinds.append(numbers.setdefault(message.kind, len(numbers)))
        of_it.sums.append(crc32(message.value or b""))
        if message.kind == ONE_FIELD:
            details.add(message.detail)
        if position % 1_000 == 0:
            producer.poll(0)
        if position and position % 100_000 == 0:
            say(f"sent {position:,}")
    if producer.flush(120) or refused:
        raise RuntimeError(f"Kafka did not take everything: {refused[:3]}")
    return sent, list(numbers), len(details)


def _wait(projector: _Projector, dsn: str, ends: dict[Partition, int], count: int, say: Say) -> None:
    """Until live stands at `ends`."""
    moved, before, said = time.monotonic(), None, time.monotonic()
    while True:
        projector.look()
        with psycopg.connect(dsn) as connection:
            rows = connection.execute("SELECT topic, partition, next_offset FROM live.offsets").fetchall()
        left = sum(ends[Partition(topic, partition)] - offset for topic, partition, offset in rows)
        if left == 0:
            return
        now = time.monotonic()
        if left != before:
            moved, before = now, left
        elif now - moved > STUCK:
            raise RuntimeError(
                f"the projector stands still, {left} messages before the end: {projector.log.read_text()[-2_000:]}"
            )
        if now - said > 10:
            say(f"live has read {count - left:,} of {count:,}")
            said = now
        time.sleep(0.2)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    _say("starting PostgreSQL, Kafka and the registry in a folder of their own")
    with home_with("postgres", "kafka", "registry") as home:
        report = fuzzed(home.settings, seed=given.seed, count=given.messages, say=_say)
    told = report.as_json()
    print(json.dumps(told, indent=None if given.json else 2, ensure_ascii=False))
    sys.exit(bool(report.findings.failed))


if __name__ == "__main__":
    main()
