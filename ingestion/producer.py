"""The one way that events get into Kafka: idempotent, acknowledged by all replicas, keyed by workspace."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from confluent_kafka import KafkaError, Message, Producer

from ingestion.codec import Codec
from ingestion.events import key

KAFKA_LOG = logging.getLogger("outlay.kafka")
KAFKA_LOG.addHandler(logging.NullHandler())  # a failure is reported with the delivery, once, not on stderr as well


def reliable(bootstrap: str, *, client_id: str, delivery_timeout: float, linger: float = 0.002) -> dict[str, Any]:
    """librdkafka's settings of every producer: idempotent, acknowledged by all replicas. Times are in seconds."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": client_id,
        "enable.idempotence": True,
        "acks": "all",
        # The same event must reach the same partition from every client, whatever language wrote it.
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": int(linger * 1000),
        "delivery.timeout.ms": int(delivery_timeout * 1000),
        "log.connection.close": False,
        "reconnect.backoff.max.ms": 1_000,
    }


class Delivery(NamedTuple):
    """What became of one event. Without an `error` it is in the log for good, at `partition` and `offset`."""

    topic: str
    partition: int
    offset: int
    event_id: UUID
    error: str | None


class EventProducer:
    """Sends events and reports each one's delivery. Thread-safe; a context manager that flushes when it is left.

    Args:
        bootstrap: Kafka's bootstrap servers.
        codec: encodes the events.
        client_id: shows in the broker's logs and metrics.
        delivery_timeout: seconds after which an event that Kafka has not acknowledged is reported as failed. It may
            still be in the log then; sending the same event_id again is safe.
        linger: seconds that an event may wait for others to share a request with.
    """

    def __init__(
        self,
        bootstrap: str,
        codec: Codec,
        *,
        client_id: str = "outlay",
        delivery_timeout: float = 60,
        linger: float = 0.002,
    ):
        self._codec = codec
        self._timeout = delivery_timeout
        self._producer = Producer(
            reliable(bootstrap, client_id=client_id, delivery_timeout=delivery_timeout, linger=linger)
            | {"queue.buffering.max.messages": 20_000, "queue.buffering.max.kbytes": 32_768},
            logger=KAFKA_LOG,
        )
        self._closed = threading.Event()
        self._reports = threading.Thread(target=self._serve, name="delivery-reports", daemon=True)
        self._reports.start()

    def __enter__(self) -> EventProducer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Deliver what is still queued, or report it as failed, and end."""
        self.flush(self._timeout)
        self._closed.set()
        self._reports.join()

    def send(self, topic: str, event: dict[str, Any], on_delivery: Callable[[Delivery], None] | None = None) -> None:
        """Queue the event; waits while the queue is full. `on_delivery` is called once, in another thread.

        Raises:
            NotConforming, NotRegistered, RegistryUnavailable: see `Codec.encode`. Nothing was sent then.
        """
        self.send_encoded(topic, event, self._codec.encode(topic, event), on_delivery)

    def send_encoded(
        self, topic: str, event: dict[str, Any], value: bytes, on_delivery: Callable[[Delivery], None] | None = None
    ) -> None:
        """As `send`, for an event that was encoded into `value` already."""
        self.send_bytes(topic, event["event_id"], key(topic, event), value, on_delivery)

    def send_bytes(
        self,
        topic: str,
        event_id: UUID,
        event_key: bytes,
        value: bytes,
        on_delivery: Callable[[Delivery], None] | None = None,
    ) -> None:
        """As `send`, for an event of which nothing else is at hand."""

        def report(error: KafkaError | None, message: Message) -> None:
            on_delivery(
                Delivery(topic, message.partition(), message.offset() or 0, event_id, error.str() if error else None)
            )

        while True:
            try:
                return self._producer.produce(topic, value, event_key, on_delivery=report if on_delivery else None)
            except BufferError:  # drains for certain: what is not acknowledged in time is reported as failed
                time.sleep(0.005)

    def flush(self, timeout: float) -> int:
        """Wait up to `timeout` seconds for every delivery; returns how many are still open."""
        return self._producer.flush(timeout)

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(0.1)
