"""The messages of bronze's files, as Kafka gave them: place, key, headers and value byte by byte."""

from __future__ import annotations

import heapq
import io
import struct
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import fastavro
from fastavro import parse_schema, schemaless_reader

from ingestion.landing import reading
from ingestion.landing.blocks import Blocks
from ingestion.landing.containers import ENVELOPE, unreadable_schema
from ingestion.landing.manifest import BronzeFile
from ingestion.replay.errors import ReplayError

_FRAME = struct.Struct(">bI")
_CREATED, _APPENDED = 1, 2  # how Kafka's client names the kinds of its timestamps


class Stored:
    """One message, with the questions that a message of Kafka's client answers."""

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_timestamp", "_topic", "_value")

    def __init__(self, envelope: dict[str, Any], value: bytes | None):
        self._topic, self._partition, self._offset = envelope["_topic"], envelope["_partition"], envelope["_offset"]
        self._timestamp, self._key, self._value = envelope["_timestamp"], envelope["_key"], value
        self._headers = envelope["_headers"]

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        """The kind, and milliseconds since the epoch."""
        return _APPENDED, self._timestamp // 1000

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]]:
        return [(header["key"], header["value"]) for header in self._headers]

    def error(self) -> None:
        return None


def merged(lake: str, files: Sequence[BronzeFile], start: int, end: int) -> Iterator[Stored]:
    """The messages of a partition's files from offset `start` up to, and without, `end`, in the order of the log.

    Files of one landing lie between each other (events, unreadable ones, other schemas), so that each is open from its
    first offset to its last: the memory is that of the files that hold one place.

    Args:
        files: in the order of their first offsets.

    Raises:
        ReplayError: two files hold the same offset.
        CorruptedFile, LakeUnavailable: see `ingestion.landing.reading`.
    """
    waiting, opened, last = list(files)[::-1], [], -1
    while waiting or opened:
        while waiting and (not opened or waiting[-1].first_offset <= opened[0][0]):
            file = waiting.pop()
            _push(opened, messages(lake, file), file)
        if not opened:
            continue
        offset, _, message, rest, file = heapq.heappop(opened)
        if offset >= end:
            return
        if offset == last:
            raise ReplayError(
                f"{file.path} holds offset {offset}, which another file of bronze holds too: `outlay bronze audit`"
            )
        last = offset
        if offset >= start:
            yield message
        _push(opened, rest, file)


def messages(lake: str, file: BronzeFile) -> Iterator[Stored]:
    """The messages of one file. Raises what `ingestion.landing.reading.content` raises."""
    if file.kind == "events":
        for block in Blocks().read(lake, file):
            yield from map(stored_row, block.rows)
    else:
        yield from _unreadable(fastavro.block_reader(io.BytesIO(reading.content(lake, file))))


def stored_row(row: bytes) -> Stored:
    """The message of a row of a file of events: its value is copied out as its writer encoded it."""
    stream = io.BytesIO(row)
    envelope = schemaless_reader(stream, _ENVELOPE, None)
    return Stored(envelope, _FRAME.pack(0, envelope["_schema_id"]) + row[stream.tell() :])


def _push(opened: list[tuple], rest: Iterator[Stored], file: BronzeFile) -> None:
    message = next(rest, None)
    if message is not None:
        heapq.heappush(opened, (message.offset(), file.path, message, rest, file))


def _unreadable(reader: fastavro.block_reader) -> Iterator[Stored]:
    for block in reader:
        for _ in range(block.num_records):
            row = schemaless_reader(block.bytes_, _UNREADABLE, None)
            yield Stored(row, row["value"])


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with times as the microseconds that they are stored as."""
    plain = deepcopy(schema)
    for field in plain["fields"]:
        if field["name"] == "_timestamp":
            field["type"] = "long"
    return parse_schema(plain)


_ENVELOPE = _plain({"type": "record", "name": "Envelope", "namespace": "outlay.bronze", "fields": ENVELOPE})
_UNREADABLE = _plain(unreadable_schema())
