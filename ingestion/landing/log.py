"""What landing asks of Kafka: which topics there are, where they end, and the messages of a range."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from ingestion.landing.errors import LandingError, LogUnavailable, OffsetsGone
from ingestion.reach import require

_ANSWER = 15.0  # seconds Kafka may take for an answer of the admin protocol
_STALLED = 30.0  # seconds without a message, though the partition holds more
_BATCH = 5_000
_PAUSE = 0.05  # seconds that a batch may take to fill up


@dataclass(frozen=True)
class Topic:
    """A topic as the broker knows it. `topic_id` is Kafka's own: a topic created again has another."""

    name: str
    topic_id: str
    partitions: tuple[int, ...]


class Log:
    """A reader of topics. Joins no group and commits no offset: landing keeps its own."""

    def __init__(self, bootstrap: str):
        self._bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "client.id": "outlay-landing", "log_level": 2})
        self._consumer: Consumer | None = None
        self._met: set[str] = set()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._consumer is not None:
            self._consumer.close()

    def topics(self, names: Sequence[str]) -> list[Topic]:
        """The topics of these names, in their order.

        Raises:
            LandingError: one does not exist.
            LogUnavailable: Kafka does not answer.
        """
        try:
            require(self._bootstrap)
        except KafkaException as error:
            raise self._unavailable(error) from error
        futures = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=_ANSWER)
        topics = []
        for name in names:
            try:
                described = futures[name].result()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise LandingError(
                        f"topic {name} does not exist at {self._bootstrap}: `outlay up` creates it"
                    ) from None
                raise self._unavailable(error) from error
            topics.append(Topic(name, str(described.topic_id), tuple(sorted(p.id for p in described.partitions))))
        return topics

    def ends(self, topics: Sequence[Topic]) -> dict[tuple[str, int], int]:
        """The offset after the last committed message, by (topic, partition)."""
        return self._offsets(topics, OffsetSpec.latest())

    def starts(self, topics: Sequence[Topic]) -> dict[tuple[str, int], int]:
        """The first offset that Kafka still holds, by (topic, partition)."""
        return self._offsets(topics, OffsetSpec.earliest())

    def messages(self, topic: Topic, partition: int, start: int, end: int) -> Iterator[Message]:
        """The committed messages from offset `start` up to, and without, `end`. Raises what `batches` raises."""
        for batch in self.batches(topic, partition, start, end):
            yield from batch

    def batches(self, topic: Topic, partition: int, start: int, end: int) -> Iterator[list[Message]]:
        """The same, in lists of up to 5,000.

        Raises:
            OffsetsGone: Kafka does not hold `start` any more.
            LogUnavailable: no message came for 30 s.
        """
        consumer = self._consuming()
        try:
            if topic.name not in self._met:  # else it would cost a second
                consumer.list_topics(topic.name, timeout=_ANSWER)
                self._met.add(topic.name)
            consumer.assign([TopicPartition(topic.name, partition, start)])
        except KafkaException as error:
            raise self._unavailable(error) from error
        heard = time.monotonic()
        while True:
            batch = consumer.consume(_BATCH, timeout=_PAUSE)
            if batch:
                heard = time.monotonic()
            elif time.monotonic() - heard > _STALLED:
                raise LogUnavailable(
                    f"topic {topic.name} partition {partition}: no message from {self._bootstrap} for {_STALLED:.0f} s"
                    f" though the log ends at offset {end}: see `outlay status`, then land again"
                )
            good = []
            for message in batch:
                error = message.error()
                if error is None and message.offset() < end:
                    good.append(message)
                    continue
                if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                    raise self._gone(topic, partition, start)
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise self._unavailable(KafkaException(error))
                yield good
                return
            if good:
                yield good
                if good[-1].offset() == end - 1:
                    return

    def _consuming(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    "bootstrap.servers": self._bootstrap,
                    "client.id": "outlay-landing",
                    "group.id": "outlay-landing",  # librdkafka wants one; nothing is committed under it
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "error",
                    "isolation.level": "read_committed",
                    "fetch.wait.max.ms": 10,
                    "fetch.queue.backoff.ms": 20,
                    "queued.max.messages.kbytes": 32 << 10,
                    "log_level": 2,
                }
            )
        return self._consumer

    def _offsets(self, topics: Sequence[Topic], spec: OffsetSpec) -> dict[tuple[str, int], int]:
        asked = {TopicPartition(topic.name, partition): spec for topic in topics for partition in topic.partitions}
        futures: Mapping = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_ANSWER
        )
        try:
            return {(place.topic, place.partition): future.result().offset for place, future in futures.items()}
        except KafkaException as error:
            raise self._unavailable(error) from error

    def _gone(self, topic: Topic, partition: int, start: int) -> OffsetsGone:
        first = self.starts([topic])[topic.name, partition]
        return OffsetsGone(
            f"topic {topic.name} partition {partition}: landing stands at offset {start}, but Kafka holds only what is"
            f" from {first} on: {first - start} events were deleted before they landed. Restore the log; or accept the"
            f" loss by setting next_offset to {first} in bronze.offsets (topic_id {topic.topic_id})"
        )

    def _unavailable(self, error: KafkaException) -> LogUnavailable:
        return LogUnavailable(
            f"Kafka at {self._bootstrap} does not answer ({error.args[0].str()}): see `outlay status`, then land again;"
            " nothing is lost"
        )
