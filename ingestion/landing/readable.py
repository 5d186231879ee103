"""Which messages are events of their topic, and the Avro that bronze keeps of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import Message
from fastavro import parse_schema

from ingestion import contracts
from ingestion.codec import Codec, Unreadable
from ingestion.landing.containers import FRAME, unreadable
from ingestion.landing.screening import Screen

_TOGETHER = 2 << 20  # bytes that are screened at once; a screening takes ten times their memory


class Reader:
    """Judges the values of one topic: together where that proves them readable, the others one by one."""

    def __init__(self, codec: Codec, topic: str):
        self._codec, self._topic = codec, topic
        self._screens: dict[bytes, Screen | None] = {}

    def read(self, batch: Sequence[Message]) -> Iterator[tuple[int | None, bytes]]:
        """For each message its schema's id and its event in Avro; or None, and the bytes and reason of `unreadable`.

        Raises:
            RegistryUnavailable: a schema is not known yet and the registry does not answer.
        """
        values = [message.value() for message in batch]
        begin = size = 0
        for number, length in enumerate(map(len, batch), start=1):
            size += length
            if size >= _TOGETHER:
                yield from self._read(values[begin:number])
                begin, size = number, 0
        yield from self._read(values[begin:])

    def _read(self, values: Sequence[bytes | None]) -> Iterator[tuple[int | None, bytes]]:
        by_frame: dict[bytes, list[int]] = {}
        for number, value in enumerate(values):
            by_frame.setdefault(value[:FRAME] if value else b"", []).append(number)
        ids: list[int | None] = [None] * len(values)  # None: left to the decoder
        for frame, numbers in by_frame.items():
            screen = self._screen(frame, values[numbers[0]])
            if screen is None:
                continue
            schema_id = int.from_bytes(frame[1:], "big")
            of_it = values if len(numbers) == len(values) else [values[number] for number in numbers]
            for number, passes in zip(numbers, screen.passes(of_it), strict=True):
                if passes:
                    ids[number] = schema_id
        for schema_id, value in zip(ids, values, strict=True):
            yield self._decoded(value) if schema_id is None else (schema_id, value[FRAME:])

    def _decoded(self, value: bytes | None) -> tuple[int | None, bytes]:
        try:
            self._codec.decode(self._topic, value, as_written=True)
        except Unreadable as error:
            return None, unreadable(value, error.reason)
        return self._codec.schema_id(value), value[FRAME:]

    def _screen(self, frame: bytes, value: bytes | None) -> Screen | None:
        """The screen of values that begin with `frame`; None where they cannot be the topic's events."""
        if frame in self._screens:
            return self._screens[frame]
        try:
            schema = parse_schema(self._codec.writer_schema(self._codec.schema_id(value)))
        except Unreadable:
            return None  # not kept: a schema that is unknown now may be registered later
        ours = parse_schema(contracts.schema(self._topic))
        self._screens[frame] = Screen(schema, skip=FRAME) if schema["name"] == ours["name"] else None
        return self._screens[frame]
