"""The messages of the log, read: a row for live each, or a dead letter with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from confluent_kafka import Message

from ingestion.codec import Codec, Unreadable
from ingestion.headers import headers_of
from ingestion.projection.rows import Place, beyond_the_index, places, row, rows
from ingestion.screened import Screens

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MANY = 64  # messages from which on reading them together costs less


class Record(NamedTuple):
    """A message: `row` when it is an event, else `reason` says why it is a dead letter.

    `recorded_at` is when somebody recorded the event who waits for it; None for what comes by itself or in bulk.
    """

    topic: str
    topic_id: str
    partition: int
    offset: int
    logged_at: datetime
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    row: bytes | None
    reason: str | None
    recorded_at: datetime | None = None

    def refused(self, reason: str) -> Record:
        """The same message as a dead letter."""
        return self._replace(row=None, reason=reason)


class Reader:
    """Reads messages: many together where they are plain events of our own schema, the others one by one.

    Args:
        codec: decodes what is read one by one.
        topic_ids: Kafka's own id of each topic.
    """

    def __init__(self, codec: Codec, topic_ids: Mapping[str, str]):
        self._codec, self._topic_ids = codec, topic_ids
        self._screens = {topic: Screens(codec, topic) for topic in topic_ids}

    def read(self, messages: Sequence[Message]) -> list[Record]:
        """The records in the order of the messages.

        Raises:
            RegistryUnavailable: a schema is not known yet and the registry does not answer.
        """
        if len(messages) < _MANY:
            return [self._one(message) for message in messages]
        records: list[Record | None] = [None] * len(messages)
        by_topic: dict[str, list[int]] = {}
        for number, message in enumerate(messages):
            by_topic.setdefault(message.topic(), []).append(number)
        for topic, numbers in by_topic.items():
            for number, record in zip(numbers, self._many(topic, [messages[n] for n in numbers]), strict=True):
                records[number] = record
        return records

    def _one(self, message: Message) -> Record:
        return read(message, self._topic_ids[message.topic()], self._codec)

    def _many(self, topic: str, messages: Sequence[Message]) -> list[Record]:
        records: list[Record | None] = [None] * len(messages)
        values = [message.value() for message in messages]
        for written, numbers in self._screens[topic].groups(values):
            if not written.is_ours:
                continue
            columns = written.screen.read([values[number] for number in numbers])
            made = rows(topic, self._placed(topic, [messages[number] for number in numbers]), columns)
            for number, packed in zip(numbers, made, strict=True):
                if packed is not None:
                    message = messages[number]
                    place = _place(message, self._topic_ids[topic])
                    original = (message.key(), values[number], headers_of(message))
                    records[number] = Record(*place, *original, packed.row, None, packed.recorded_at)
        return [
            self._one(message) if record is None else record for record, message in zip(records, messages, strict=True)
        ]

    def _placed(self, topic: str, messages: Sequence[Message]) -> list[bytes]:
        partitions = [message.partition() for message in messages]
        offsets = [message.offset() for message in messages]
        logged_at = [message.timestamp()[1] * 1_000 for message in messages]
        return places(topic, self._topic_ids[topic], partitions, offsets, logged_at)


def read(message: Message, topic_id: str, codec: Codec) -> Record:
    """Decode one message.

    Raises:
        RegistryUnavailable: its schema is not known yet and the registry does not answer.
    """
    topic, value = message.topic(), message.value()
    place = _place(message, topic_id)
    original = (message.key(), value, headers_of(message))
    try:
        event = codec.decode(topic, value)
    except Unreadable as error:
        return Record(*place, *original, None, error.reason)
    beyond = beyond_the_index(topic, event)
    if beyond is not None:
        return Record(*place, *original, None, beyond)
    packed = row(*place, event)
    return Record(*place, *original, packed.row, None, packed.recorded_at)


def _place(message: Message, topic_id: str) -> Place:
    logged_at = _EPOCH + timedelta(milliseconds=message.timestamp()[1])
    return message.topic(), topic_id, message.partition(), message.offset(), logged_at
