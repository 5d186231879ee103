"""What the projector does, in Prometheus' terms, served over HTTP."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from ingestion.projection.log import MAX_BATCH, Partition
from ingestion.projection.records import Record

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""

Decided = Mapping[tuple[str, str], int]
"""(topic, decision) to a number of events."""
ByPartition = Callable[[], Mapping[Partition, int]]


class Metrics:
    """Counts of one projector, in a registry of its own. Thread-safe.

    Counts begin at 0 with the process, but for the fencings, which are of the log.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._events = Counter(
            "outlay_live_events", "Events committed, by decision.", ("topic", "decision"), registry=self.registry
        )
        self._letters = Counter(
            "outlay_live_dead_letters", "Messages kept as dead letters.", ("topic",), registry=self.registry
        )
        self._outages = Counter(
            "outlay_live_outages", "Times that a server was away, by error.", ("error",), registry=self.registry
        )
        self._lanes = Gauge("outlay_live_lanes", "Lanes that write side by side.", registry=self.registry)
        self._sizes = Histogram(
            "outlay_live_batch_messages",
            "Messages of one transaction.",
            registry=self.registry,
            buckets=(1, 10, 100, 500, 1_000, 2_000, MAX_BATCH),
        )
        self._seconds = Histogram(
            "outlay_live_batch_seconds", "Time of one transaction.", registry=self.registry, buckets=BUCKETS
        )
        self._logged = _Waits("outlay_live_logged_to_committed_seconds", "From the broker's timestamp to the commit.")
        self._recorded = _Waits(
            "outlay_live_recorded_to_committed_seconds", "From recorded_at to the commit, of what people wait for."
        )
        self._lag = _Asked(
            GaugeMetricFamily, "outlay_live_lag_messages", "Messages of the log that live has yet to read."
        )
        self._fencings = _Asked(
            CounterMetricFamily, "outlay_live_fencings", "Times that a projector came too late to a partition."
        )
        for collector in (self._logged, self._recorded, self._lag, self._fencings):
            self.registry.register(collector)

    def serve(self, host: str, port: int) -> None:
        """Answer ``GET /metrics`` there from now on, in a thread of its own.

        Raises:
            OSError: the port is taken.
        """
        start_http_server(port, addr=host, registry=self.registry)

    @contextmanager
    def following(self, lag: ByPartition, fencings: ByPartition) -> Iterator[None]:
        """Let be asked how far some partitions are behind, and how often a projector came too late to them, for as
        long as their log is read."""
        with self._lag.asking(lag), self._fencings.asking(fencings):
            yield

    def lanes(self, count: int) -> None:
        """Note how many lanes there are from now on."""
        self._lanes.set(count)

    def outage(self, error: Exception) -> None:
        self._outages.labels(type(error).__name__).inc()

    def committed(self, records: list[Record], decided: Decided, seconds: float) -> None:
        """Count one batch that was committed just now.

        Args:
            seconds: how long its transaction took.
        """
        if not records:
            return
        now = datetime.now(UTC)
        self._sizes.observe(len(records))
        self._seconds.observe(seconds)
        for (topic, decision), count in decided.items():
            self._events.labels(topic, decision).inc(count)
        letters = Tally(record.topic for record in records)  # what was not decided: PostgreSQL may refuse an event, too
        for (topic, _), count in decided.items():
            letters[topic] -= count
        for topic, count in letters.items():
            self._letters.labels(topic).inc(count)
        self._logged.observe((now - record.logged_at).total_seconds() for record in records)
        self._recorded.observe(
            (now - record.recorded_at).total_seconds() for record in records if record.recorded_at is not None
        )


class _Waits(Collector):
    """A histogram of waits that takes a whole batch at once: the library's takes a lock for each value."""

    def __init__(self, name: str, text: str):
        self._name, self._text = name, text
        self._counts = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, waits: Iterable[float]) -> None:
        with self._lock:
            for wait in waits:
                self._counts[bisect_left(BUCKETS, wait)] += 1
                self._sum += wait

    def collect(self) -> Iterator[HistogramMetricFamily]:
        with self._lock:
            counts, sum_value = list(self._counts), self._sum
        buckets = list(zip((*map(str, BUCKETS), "+Inf"), accumulate(counts), strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=sum_value)


class _Asked(Collector):
    """Of each partition a figure that is asked for at the scrape, so that it costs nothing between."""

    def __init__(self, kind: type[GaugeMetricFamily | CounterMetricFamily], name: str, text: str):
        self._kind, self._name, self._text = kind, name, text
        self._asked: list[ByPartition] = []

    @contextmanager
    def asking(self, figures: ByPartition) -> Iterator[None]:
        self._asked.append(figures)
        try:
            yield
        finally:
            self._asked.remove(figures)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        family = self._kind(self._name, self._text, labels=("topic", "partition"))
        for figures in list(self._asked):
            for place, figure in figures().items():
                family.add_metric((place.topic, str(place.partition)), figure)
        yield family
