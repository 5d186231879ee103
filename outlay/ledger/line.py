"""The process's line to Kafka: what somebody waits for goes into the log by it, and it says where the log ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ingestion.codec import Codec
from ingestion.producer import KAFKA_LOG, Delivery, EventProducer
from ingestion.reach import require
from outlay.ledger.errors import KafkaUnavailable
from outlay.settings import Settings

_PATIENCE = 4  # seconds for Kafka to acknowledge what a person waits for


class Message(NamedTuple):
    """An event that was encoded and judged before."""

    event_id: UUID
    key: bytes
    value: bytes


class Line:
    """One producer, opened at its first event. Thread-safe."""

    def __init__(self, using: Settings, codec: Codec):
        self._settings, self._codec = using, codec
        self._lock = threading.Lock()
        self._opened: EventProducer | None = None

    def deliver(self, topic: str, messages: Sequence[Message]) -> list[Delivery]:
        """Append events; returns their places in the log, in the order of the events.

        Raises:
            KafkaUnavailable: it does not acknowledge each in a few seconds. Sending the same events again is safe.
        """
        waiting: list[Future[Delivery]] = [Future() for _ in messages]
        deadline = time.monotonic() + _PATIENCE + 2
        producer = None
        try:
            producer = self._producer()
            for message, delivered in zip(messages, waiting, strict=True):
                producer.send_bytes(topic, *message, delivered.set_result)
            deliveries = [delivered.result(timeout=max(0, deadline - time.monotonic())) for delivered in waiting]
        except KafkaException as error:
            if error.args[0].fatal():
                self._replace(producer)
            raise self._unavailable(error.args[0].str()) from error
        except NotInTime:
            raise self._unavailable("no answer") from None
        for delivery in deliveries:
            if delivery.error is not None:
                raise self._unavailable(delivery.error)
        return deliveries

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset that the next event will get.

        Raises:
            KafkaUnavailable: it does not answer.
        """
        try:
            require(self._settings.bootstrap)
            found = self._admin.list_topics(topic, timeout=_PATIENCE).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in found.partitions}
            answers = self._admin.list_offsets(asked, request_timeout=_PATIENCE)
            return {place.partition: future.result().offset for place, future in answers.items()}
        except KafkaException as error:
            raise self._unavailable(error.args[0].str()) from error

    def close(self) -> None:
        """Deliver what is still queued, and end."""
        if self._opened is not None:
            self._opened.close()

    def _producer(self) -> EventProducer:
        with self._lock:
            if self._opened is None:
                require(self._settings.bootstrap)
                self._opened = EventProducer(
                    self._settings.bootstrap, self._codec, client_id="outlay-ledger", delivery_timeout=_PATIENCE
                )
            return self._opened

    def _replace(self, failed: EventProducer | None) -> None:
        """Open another one at the next event: this one has failed for good."""
        with self._lock:
            if failed is None or self._opened is not failed:
                return
            self._opened = None
        threading.Thread(target=failed.close, name="failed-producer", daemon=True).start()

    def _unavailable(self, error: str) -> KafkaUnavailable:
        return KafkaUnavailable(
            f"Kafka at {self._settings.bootstrap} does not take events ({error}): see `outlay status`. "
            "Sending the same event again is safe"
        )

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._settings.bootstrap}, logger=KAFKA_LOG)
