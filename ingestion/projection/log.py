"""The projector's side of Kafka: which topics there are, and the next batch of messages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from ingestion.contracts import TOPICS
from ingestion.producer import KAFKA_LOG
from ingestion.projection.errors import LogTruncated, TopicMissing

MAX_BATCH = 4_000
_BUSY = 50  # messages in the last batch from which on a moment of waiting for more saves whole transactions
_IDLE, _FILL = 0.2, 0.002  # seconds to wait for a first message, and for a fuller batch when busy
_NOTED = 0.5  # seconds between looks at where the partitions end
_ANSWER = 10  # seconds for Kafka to describe its topics


class Topic(NamedTuple):
    topic_id: str
    partitions: int


class Partition(NamedTuple):
    topic: str
    partition: int


@dataclass
class Batch:
    """Messages in the order of each partition, and the offset that each partition stands at after them."""

    messages: list[Message] = field(default_factory=list)
    positions: dict[Partition, int] = field(default_factory=dict)


def describe(admin: AdminClient) -> dict[str, Topic]:
    """The topics as Kafka has them now.

    Raises:
        TopicMissing: one does not exist.
        KafkaException: Kafka does not answer.
    """
    described = {}
    for name, future in admin.describe_topics(TopicCollection(list(TOPICS)), request_timeout=_ANSWER).items():
        try:
            topic = future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicMissing(f"the topic {name} does not exist: `outlay up` creates it") from None
            raise
        described[name] = Topic(str(topic.topic_id), len(topic.partitions))
    return described


class Log:
    """Reads all partitions from the given positions on. Offsets live in PostgreSQL; nothing is committed to Kafka."""

    def __init__(self, bootstrap: str, positions: Mapping[Partition, int]):
        self._down: KafkaError | None = None
        self._busy = False
        self._ends: dict[Partition, int] = {}
        self._asked = 0.0
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": "outlay-live",
                "group.id": "outlay-live",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 20,
                "reconnect.backoff.max.ms": 1_000,
                "queued.max.messages.kbytes": 4_096,
                "fetch.max.bytes": 4_194_304,
                "error_cb": self._failed,
            },
            logger=KAFKA_LOG,
        )
        self._places = [TopicPartition(*partition, offset) for partition, offset in positions.items()]
        self._consumer.assign(self._places)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def next(self) -> Batch:
        """What has come: at once when there is little, up to MAX_BATCH when there is much, empty after a short while.

        Raises:
            LogTruncated: Kafka no longer holds the next message of a partition.
            KafkaException: Kafka is away.
        """
        messages = self._consumer.consume(1, _IDLE)
        if messages:
            messages += self._consumer.consume(MAX_BATCH - 1, _FILL if self._busy else 0)
        self._busy = len(messages) > _BUSY
        self._note_ends()
        if self._down is not None:
            raise KafkaException(self._down)
        last = {(message.topic(), message.partition()): message for message in messages}
        batch = Batch([message for message in messages if message.error() is None])
        if len(batch.messages) < len(messages):
            self._look_at_errors(messages)
        for place, message in last.items():
            # The end may lie beyond the last message: the marks of transactions take offsets too.
            batch.positions[Partition(*place)] = message.offset() + (message.error() is None)
        return batch

    @staticmethod
    def _look_at_errors(messages: Sequence[Message]) -> None:
        """Raises what `next` does, of all that is not simply the end of a partition."""
        for message in messages:
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                continue
            if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                raise LogTruncated(
                    f"Kafka cannot give the next event of {message.topic()}/{message.partition()} ({error.str()}): "
                    "restore the topic, or rebuild live from bronze"
                )
            raise KafkaException(error)

    def lag(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """How far the log ends beyond each position, as Kafka said with its last answer.

        Thread-safe. Partitions that Kafka has said nothing of yet are absent.
        """
        ends = self._ends
        return {place: max(0, ends[place] - offset) for place, offset in positions.items() if place in ends}

    def _note_ends(self) -> None:
        """Done by the thread that consumes: another one would wait until the client has come back from that."""
        if time.monotonic() - self._asked < _NOTED:
            return
        known = [self._consumer.get_watermark_offsets(place, cached=True) for place in self._places]
        self._ends = {
            Partition(place.topic, place.partition): end
            for place, (_, end) in zip(self._places, known, strict=True)
            if end >= 0
        }
        self._asked = time.monotonic()

    def _failed(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():
            self._down = error
