"""Which messages are events of their topic, and the Avro that bronze keeps of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import Message

from ingestion.codec import FRAME, Codec, Unreadable
from ingestion.landing.containers import unreadable
from ingestion.screened import Screens


class Reader:
    """Judges the values of one topic: together where that proves them readable, the others one by one."""

    def __init__(self, codec: Codec, topic: str):
        self._codec, self._topic = codec, topic
        self._screens = Screens(codec, topic)

    def read(self, batch: Sequence[Message]) -> Iterator[tuple[int | None, bytes]]:
        """For each message its schema's id and its event in Avro; or None, and the bytes and reason of `unreadable`.

        Raises:
            RegistryUnavailable: a schema is not known yet and the registry does not answer.
        """
        values = [message.value() for message in batch]
        ids: list[int | None] = [None] * len(values)  # None: left to the decoder
        for written, numbers in self._screens.groups(values):
            passes = written.screen.passes([values[number] for number in numbers])
            for number, surely in zip(numbers, passes, strict=True):
                if surely:
                    ids[number] = written.schema_id
        for schema_id, value in zip(ids, values, strict=True):
            yield self._decoded(value) if schema_id is None else (schema_id, value[FRAME:])

    def _decoded(self, value: bytes | None) -> tuple[int | None, bytes]:
        try:
            self._codec.decode(self._topic, value, as_written=True)
        except Unreadable as error:
            return None, unreadable(value, error.reason)
        return self._codec.schema_id(value), value[FRAME:]
