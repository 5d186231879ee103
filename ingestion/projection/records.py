"""The messages of the log, read: a row for live each, or a dead letter with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

import numpy as np
from confluent_kafka import Message

from ingestion.codec import Codec, Unreadable
from ingestion.headers import headers_of
from ingestion.projection.rows import Place, beyond_the_index, places, row, rows
from ingestion.screened import Screens, Written

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
            if written.is_ours:
                chosen = [messages[number] for number in numbers]
                of_them = [values[number] for number in numbers]
                for number, record in zip(numbers, self._packed(topic, written, chosen, of_them), strict=True):
                    records[number] = record
        return [
            self._one(message) if record is None else record for record, message in zip(records, messages, strict=True)
        ]

    def _packed(
        self, topic: str, written: Written, messages: Sequence[Message], values: Sequence[bytes]
    ) -> Iterator[Record | None]:
        partitions = [message.partition() for message in messages]
        offsets = [message.offset() for message in messages]
        millis = [message.timestamp()[1] for message in messages]
        placed = places(topic, self._topic_ids[topic], partitions, offsets, np.array(millis) * 1_000)
        made = rows(topic, placed, written.screen.read(values))
        place = (repeat(topic), repeat(self._topic_ids[topic]), partitions, offsets, map(_instant, millis))
        for packed, *known in zip(made, *place, messages, values):  # noqa: B905 (some repeat for ever)
            message, value = known[-2:]
            yield packed and Record(
                *known[:-2], message.key(), value, headers_of(message), packed.row, None, packed.recorded_at
            )


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
    return message.topic(), topic_id, message.partition(), message.offset(), _instant(message.timestamp()[1])


@lru_cache(maxsize=10_000)
def _instant(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)
