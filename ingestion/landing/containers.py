"""Avro container files of bronze: the place in the log, the key, the headers, and the event as its writer wrote it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from confluent_kafka import Message
from fastavro import parse_schema, schemaless_writer
from fastavro.write import Writer

from ingestion.headers import headers_of

BLOCK_BYTES = 256 << 10

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


def day_of(timestamp: int) -> date:
    """The day, in UTC, of a broker's timestamp in milliseconds since the epoch."""
    return _EPOCH + timedelta(days=timestamp // _DAY)


def place_prefix(topic: str, partition: int) -> bytes:
    """What every row of the partition begins with."""
    name = topic.encode()
    return _long(len(name)) + name + _long(partition)


class Envelopes:
    """Encodes what bronze keeps beside the values of one partition: the fields of `ENVELOPE`, in Avro.

    The bytes are those that fastavro writes, in a quarter of the time: what repeats is encoded once.
    """

    def __init__(self, topic: str, partition: int):
        self._place = place_prefix(topic, partition)
        self._keys: dict[bytes | None, bytes] = {}
        self._timestamp, self._time = 0, _long(0)
        self._schemas: dict[int | None, bytes] = {None: b"\0"}

    def encode(self, message: Message, timestamp: int, schema_id: int | None) -> bytes:
        """The envelope of a message that the broker stamped with `timestamp`, in milliseconds since the epoch."""
        if timestamp != self._timestamp:
            self._timestamp, self._time = timestamp, _long(timestamp * 1000)
        key = message.key()
        encoded_key = self._keys.get(key)
        if encoded_key is None:
            if len(self._keys) >= _KEYS_KEPT:
                self._keys.clear()
            encoded_key = self._keys[key] = b"\0" if key is None else b"\2" + _long(len(key)) + key
        schema = self._schemas.get(schema_id)
        if schema is None:
            schema = self._schemas[schema_id] = b"\2" + _long(schema_id)
        headers = headers_of(message)
        encoded_headers = _headers(headers) if headers else b"\0"
        return b"".join((self._place, _long(message.offset()), self._time, encoded_key, encoded_headers, schema))


def _long(value: int) -> bytes:
    """Avro's variable-length integer."""
    left = (value << 1) ^ (value >> 63)
    if left < 1 << 7:
        return _ONE_BYTE[left]
    if left < 1 << 14:
        return bytes((left & 127 | 128, left >> 7))
    if left < 1 << 21:
        return bytes((left & 127 | 128, left >> 7 & 127 | 128, left >> 14))
    return bytes((left & 127 | 128, left >> 7 & 127 | 128, left >> 14 & 127 | 128)) + _long_rest(left >> 21)


def _long_rest(left: int) -> bytes:
    out = bytearray()
    while left >= 128:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    out = io.BytesIO()
    schemaless_writer(out, _HEADERS, [{"key": key, "value": value} for key, value in headers])
    return out.getvalue()


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
    num_records: int


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
        self._block: list[bytes] = []
        self._block_bytes = self._stored = 0
        self._first = self._last = -1

    def append(self, envelope: dict[str, Any], value: bytes) -> None:
        """Add a row: the envelope, and the Avro bytes of all fields after it."""
        out = io.BytesIO()
        schemaless_writer(out, _ENVELOPE, envelope)
        self.append_encoded(envelope["_offset"], out.getvalue() + value)

    def append_encoded(self, offset: int, row: bytes) -> None:
        """Add a row that is Avro already, the envelope included."""
        if self.rows == 0:
            self._first = offset
        self._last = offset
        self.rows += 1
        self._block.append(row)
        self._block_bytes += len(row)
        if self._block_bytes >= BLOCK_BYTES:
            self._end_block()

    @property
    def size(self) -> int:
        """Bytes so far: of finished blocks as compressed, of the last one as it is."""
        return self._stored + self._block_bytes

    def finish(self) -> Written:
        """The whole file; the container holds a row at least."""
        self._end_block()
        content = self._buffer.getbuffer()
        return Written(content, self._first, self._last, self.rows, hashlib.sha256(content).hexdigest())

    def _end_block(self) -> None:
        if not self._block:
            return
        rows = b"".join(self._block)
        if self._writer is None:
            marker = hashlib.md5(rows, usedforsecurity=False).digest()
            self._writer = Writer(self._buffer, self._schema, codec="zstandard", sync_marker=marker)
        self._writer.write_block(_Block(io.BytesIO(rows), len(self._block)))
        self._block, self._block_bytes, self._stored = [], 0, self._buffer.tell()


def _record(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "outlay.bronze", "fields": fields}


_EPOCH = date(1970, 1, 1)
_DAY = 86_400_000  # milliseconds
_KEYS_KEPT = 4_096
_ONE_BYTE = [bytes([value]) for value in range(128)]
_HEADERS = parse_schema(next(field["type"] for field in ENVELOPE if field["name"] == "_headers"))
_ENVELOPE = parse_schema(_record("Envelope", ENVELOPE))
_REASON = parse_schema(_record("Reason", _UNREADABLE))
