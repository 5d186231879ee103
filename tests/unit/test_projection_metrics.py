"""What the projector tells Prometheus is what it did."""

from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ingestion.projection import Metrics
from ingestion.projection.log import Partition
from ingestion.projection.records import Record

PLACE = ("transaction", "log", 0)


def record(*, waited: float, source: str = "app", reason: str | None = None) -> Record:
    at = datetime.now(UTC) - timedelta(seconds=waited)
    return Record(*PLACE, 0, at, None, None, (), None if reason else b"", reason, at if source == "app" else None)


def told(metrics: Metrics, name: str, **labels: str) -> float | None:
    """What a scrape finds under that name."""
    scraped = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    found = [s.value for family in scraped for s in family.samples if (s.name, s.labels) == (name, labels)]
    return found[0] if found else None


def test_decisions_and_dead_letters_are_counted_by_topic():
    metrics = Metrics()
    metrics.committed([record(waited=0)] * 3, {("transaction", "accepted"): 2, ("transaction", "stale"): 1}, 0.01)
    metrics.committed([record(waited=0, reason="garbage")], {}, 0.01)
    metrics.committed([], {}, 0.01)
    assert told(metrics, "outlay_live_events_total", topic="transaction", decision="accepted") == 2
    assert told(metrics, "outlay_live_events_total", topic="transaction", decision="stale") == 1
    assert told(metrics, "outlay_live_dead_letters_total", topic="transaction") == 1
    assert told(metrics, "outlay_live_batch_messages_count") == 2
    assert told(metrics, "outlay_live_batch_messages_sum") == 4


def test_waits_are_counted_from_the_broker_for_all_and_from_the_person_for_what_people_wait_for():
    metrics = Metrics()
    metrics.committed([record(waited=0.02), record(waited=3), record(waited=3, source="import")], {}, 0.01)
    logged, recorded = "outlay_live_logged_to_committed_seconds", "outlay_live_recorded_to_committed_seconds"
    assert (told(metrics, f"{logged}_count"), told(metrics, f"{recorded}_count")) == (3, 2)
    bounds = ("0.01", "0.1", "2.5", "5.0", "+Inf")
    assert [told(metrics, f"{recorded}_bucket", le=bound) for bound in bounds] == [0, 1, 1, 2, 2]
    assert 6 < told(metrics, f"{logged}_sum") < 7


def test_the_lag_is_asked_at_the_scrape_and_gone_when_the_log_is_not_read():
    metrics = Metrics()
    lanes = [{Partition("user", 3): 7}, {Partition("user", 4): 8}]
    with metrics.following(lambda: lanes[0], dict):
        with metrics.following(lambda: lanes[1], dict):
            asked = [told(metrics, "outlay_live_lag_messages", topic="user", partition=p) for p in ("3", "4")]
            assert asked == [7, 8]
        assert told(metrics, "outlay_live_lag_messages", topic="user", partition="4") is None
        assert told(metrics, "outlay_live_lag_messages", topic="user", partition="3") == 7
    assert told(metrics, "outlay_live_lag_messages", topic="user", partition="3") is None


def test_fencings_are_told_by_partition():
    metrics = Metrics()
    with metrics.following(dict, lambda: {Partition("user", 3): 2}):
        assert told(metrics, "outlay_live_fencings_total", topic="user", partition="3") == 2


def test_outages_are_counted_by_what_was_away():
    metrics = Metrics()
    metrics.outage(ConnectionError())
    assert told(metrics, "outlay_live_outages_total", error="ConnectionError") == 1
