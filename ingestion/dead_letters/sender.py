"""Appending messages to Kafka as they are: their bytes, key and headers, null where they are null."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingestion.dead_letters.letters import Headers
from ingestion.producer import KAFKA_LOG, reliable

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
_LARGEST = 100_000_000  # bytes; the broker's own limit decides


class Outgoing(NamedTuple):
    """A message to append. A null key goes to `partition`, as there is nothing to find its partition by."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int


class Appended(NamedTuple):
    """Where the message stands, acknowledged by all replicas."""

    partition: int
    offset: int


class Unacceptable(NamedTuple):
    """Kafka will never take this message, whenever it is sent; `reason` says why."""

    reason: str


class KafkaAway(RuntimeError):
    """Kafka did not acknowledge a message in time. It may be in the log nevertheless."""


class Sender:
    """An idempotent producer, acks=all. A context manager; what is not acknowledged when it is left is given up.

    Args:
        bootstrap: Kafka's bootstrap servers.
        client_id: shows in the broker's logs and metrics.
        patience: seconds for Kafka to acknowledge a message.
    """

    def __init__(self, bootstrap: str, *, client_id: str, patience: float = 10):
        self._bootstrap = bootstrap
        self._patience = patience
        self._producer = Producer(
            reliable(bootstrap, client_id=client_id, delivery_timeout=patience) | {"message.max.bytes": _LARGEST},
            logger=KAFKA_LOG,
        )

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()
        self._producer.flush(1)

    def send(
        self, messages: Sequence[Outgoing], stop: threading.Event | None = None
    ) -> list[Appended | Unacceptable | KafkaAway]:
        """Append the messages; returns what became of each, in their order.

        Waits until each is acknowledged or given up; returns sooner, with the open ones given up, when `stop` is set.
        """
        outcomes: list[Appended | Unacceptable | KafkaAway | None] = [None] * len(messages)
        for number, message in enumerate(messages):

            def report(error: KafkaError | None, sent: Message, number: int = number) -> None:
                outcomes[number] = Appended(sent.partition(), sent.offset()) if error is None else self._failed(error)

            try:
                self._producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    message.partition if message.key is None else -1,
                    on_delivery=report,
                    headers=list(message.headers),
                )
            except KafkaException as error:
                outcomes[number] = self._failed(error.args[0])
        deadline = time.monotonic() + self._patience + 2
        while None in outcomes and time.monotonic() < deadline and not (stop is not None and stop.is_set()):
            self._producer.poll(0.1)
        return [self._away("no answer") if outcome is None else outcome for outcome in outcomes]

    def _failed(self, error: KafkaError) -> Unacceptable | KafkaAway:
        if error.code() in _TOO_LARGE:
            return Unacceptable(f"Kafka does not take it: {error.str()}")
        return self._away(error.str())

    def _away(self, said: str) -> KafkaAway:
        return KafkaAway(
            f"Kafka at {self._bootstrap} does not acknowledge messages ({said}): see `outlay status`. "
            "Running it again is safe"
        )
