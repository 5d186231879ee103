"""Avro container files of bronze: the place in the log, the key, the headers, and the event as its writer wrote it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from confluent_kafka import Message
from fastavro import parse_schema, schemaless_writer
from fastavro.write import Writer

from ingestion.headers import headers_of

BLOCK_BYTES = 256 << 10
FRAME = 5  # bytes before an event's Avro: the magic byte and the schema's id

ENVELOPE: list[dict[str, Any]] = [
    {"name": "_topic", "type": "string"},
    {"name": "_partition", "type": "int"},
    {"name": "_offset", "type": "long"},
    {"name": "_timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "_key", "type": ["null", "bytes"], "default": None},
    {
        "name": "_headers",
        "type": {
            "type": "array",
            "items": {
                "type": "record",
                "name": "Header",
                "fields": [
                    {"name": "key", "type": "string"},
                    {"name": "value", "type": ["null", "bytes"], "default": None},
                ],
            },
        },
        "default": [],
    },
    {"name": "_schema_id", "type": ["null", "int"], "default": None},
]


_UNREADABLE = [
    {"name": "value", "type": ["null", "bytes"], "default": None},
    {"name": "reason", "type": "string"},
]


def events_schema(writer_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a file of events: the envelope, and `value` in the schema it was written with."""
    return _record("BronzeEvent", [*ENVELOPE, {"name": "value", "type": writer_schema}])


def unreadable_schema() -> dict[str, Any]:
    """The schema of a file of what could not be decoded: the envelope, the bytes, and why."""
    return _record("UnreadableEvent", [*ENVELOPE, *_UNREADABLE])


def unreadable(value: bytes | None, reason: str) -> bytes:
    """The Avro bytes of the fields that a file of `unreadable_schema` has after the envelope."""
    out = io.BytesIO()
    schemaless_writer(out, _REASON, {"value": value, "reason": reason})
    return out.getvalue()


def logged_on(message: Message) -> date:
    """The day, in UTC, of the broker's timestamp."""
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC).date()


def envelope(message: Message, schema_id: int | None) -> dict[str, Any]:
    """What bronze keeps beside the value. `_timestamp` is the broker's, in microseconds since the epoch."""
    return {
        "_topic": message.topic(),
        "_partition": message.partition(),
        "_offset": message.offset(),
        "_timestamp": message.timestamp()[1] * 1000,
        "_key": message.key(),
        "_headers": [{"key": key, "value": value} for key, value in headers_of(message)],
        "_schema_id": schema_id,
    }


@dataclass(frozen=True)
class Written:
    """A finished container: its bytes, and what the manifest says of it."""

    content: memoryview
    first_offset: int
    last_offset: int
    rows: int
    sha256: str


@dataclass
class _Block:
    """What fastavro's writer wants of a block: rows that are Avro already."""

    bytes_: io.BytesIO
    num_records: int = 0


class Container:
    """One container file in the making, in memory until it is whole.

    The record of an Avro row is its fields' bytes one after the other, so an event is copied in as its writer encoded
    it: the same bytes, and a fifth of the time that encoding it again would take. The same rows give the same bytes,
    so that a file which is written again under its name stays what the manifest says of it.
    """

    def __init__(self, schema: dict[str, Any], *, schema_id: int | None, day: date):
        self.schema_id, self.day, self.rows = schema_id, day, 0
        self._schema = parse_schema(schema)
        self._buffer = io.BytesIO()
        self._writer: Writer | None = None
        self._block = _Block(io.BytesIO())
        self._first = self._last = -1

    def append(self, envelope: dict[str, Any], value: bytes) -> None:
        """Add a row: the envelope, and the Avro bytes of all fields after it."""
        block = self._block
        schemaless_writer(block.bytes_, _ENVELOPE, envelope)
        block.bytes_.write(value)
        block.num_records += 1
        self._last = envelope["_offset"]
        if self.rows == 0:
            self._first = self._last
        self.rows += 1
        if block.bytes_.tell() >= BLOCK_BYTES:
            self._end_block()

    @property
    def size(self) -> int:
        """Bytes so far: of finished blocks as compressed, of the last one as it is."""
        return self._buffer.tell() + self._block.bytes_.tell()

    def finish(self) -> Written:
        """The whole file; the container holds a row at least."""
        self._end_block()
        content = self._buffer.getbuffer()
        return Written(content, self._first, self._last, self.rows, hashlib.sha256(content).hexdigest())

    def _end_block(self) -> None:
        if not self._block.num_records:
            return
        if self._writer is None:
            marker = hashlib.md5(self._block.bytes_.getbuffer(), usedforsecurity=False).digest()
            self._writer = Writer(self._buffer, self._schema, codec="zstandard", sync_marker=marker)
        self._writer.write_block(self._block)
        self._block = _Block(io.BytesIO())


def _record(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "outlay.bronze", "fields": fields}


_ENVELOPE = parse_schema(_record("Envelope", ENVELOPE))
_REASON = parse_schema(_record("Reason", _UNREADABLE))
