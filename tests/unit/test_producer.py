"""Every event gets one delivery report, also when Kafka is away; nothing waits for ever."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import pytest

from ingestion import events
from ingestion.producer import Delivery, EventProducer
from tests.support import free_port


class Encoded:
    """Stands in for the codec: what is sent here never reaches a reader."""

    def encode(self, topic: str, event: dict) -> bytes:
        return b"x" * 100


def report_event() -> dict:
    return events.report(workspace_id=UUID(int=1), report_id=uuid4(), name="monthly", source="app")


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody listens."""
    return f"127.0.0.1:{free_port()}"


def test_a_kafka_that_is_away_is_reported_for_each_event_within_the_bound(nowhere):
    deliveries: list[Delivery] = []
    sent = [report_event() for _ in range(3)]
    began = time.monotonic()
    with EventProducer(nowhere, Encoded(), delivery_timeout=1) as producer:
        for event in sent:
            producer.send("report", event, deliveries.append)
        assert producer.flush(10) == 0
    assert time.monotonic() - began < 10
    assert {delivery.event_id for delivery in deliveries} == {event["event_id"] for event in sent}
    assert {delivery.error for delivery in deliveries} == {"Local: Message timed out"}


def test_sending_waits_while_the_queue_is_full_and_goes_on_when_it_drains(nowhere):
    deliveries: list[Delivery] = []
    with EventProducer(nowhere, Encoded(), delivery_timeout=1) as producer:
        for _ in range(20_001):  # one more than fits
            producer.send("report", report_event(), deliveries.append)
        producer.flush(10)
    assert len(deliveries) == 20_001
