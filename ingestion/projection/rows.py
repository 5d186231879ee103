"""The rows of events, as PostgreSQL's binary COPY takes them into the merge's `incoming`.

`row` makes one of an event that was decoded; `rows` makes many of a batch's columns at once, byte for byte the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import repeat
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson

from ingestion import contracts
from ingestion.columns import TO_2000, Content
from ingestion.events import ENTITY_ID, ENVELOPE, NIL, thing
from ingestion.packing import Cells, Sheet, chosen, numbers, records
from ingestion.screening import Columns

SIGNATURE, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
"""What stands before the rows and behind them."""

Place = tuple[str, str, int, int, datetime]
"""Of a message: topic, topic id, partition, offset and the broker's time."""

LONGEST_KEY = 2_000
"""Bytes of a category and a currency: the index of the totals surely holds so many. Two flat texts are never more."""

INTERACTIVE = frozenset({"app", "api"})
"""Sources of events that somebody waits for."""


class Row(NamedTuple):
    """A row as bytes; `recorded_at` is when somebody recorded the event who waits for it, else None."""

    row: bytes
    recorded_at: datetime | None


_FIELDS = struct.pack(">h", 19)
_FALSE, _TRUE = (struct.pack(">i?", 1, value) for value in (False, True))
_NULL = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_INT, _LONG = struct.Struct(">ii"), struct.Struct(">iq")
_PLACE = struct.Struct(">iiiqiq")
_PLACED = [("a", ">i4"), ("partition", ">i4"), ("b", ">i4"), ("offset", ">i8"), ("c", ">i4"), ("logged_at", ">i8")]
_MICROSECOND, _2000 = timedelta(microseconds=1), datetime(2000, 1, 1, tzinfo=UTC)
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPE = frozenset(ENVELOPE)


def row(topic: str, topic_id: str, partition: int, offset: int, logged_at: datetime, event: Mapping[str, Any]) -> Row:
    """The row of an event at its place in the log."""
    entity, entity_id = thing(topic, event)
    fields = (
        _head(topic, topic_id, is_split=bool(event.get("lines"))),
        _placed(partition, offset, logged_at),
        _id(event["workspace_id"] or NIL),
        _id(event["event_id"]),
        _text(entity),
        _id(entity_id),
        _INT.pack(4, event["version"]),
        _text(event["operation"]),
        _id(event["actor_id"]),
        _text(event["source"]),
        _text(event["external_id"]),
        _text(event["correlation_id"]),
        _instant(event["occurred_at"]),
        _instant(event["recorded_at"]),
        _json(state(event)),
    )
    return Row(b"".join(fields), event["recorded_at"] if event["source"] in INTERACTIVE else None)


def places(topic: str, topic_id: str, partitions: Any, offsets: Any, logged_at: Any) -> Cells:
    """The first fields of many rows of a topic, all of events without lines.

    Args:
        partitions: integers, one a row; a single one stands for all rows.
        offsets: integers, one a row.
        logged_at: microseconds since 1970, as the partitions.
    """
    head = _head(topic, topic_id, is_split=False)
    packed = np.empty(len(offsets), [("head", f"V{len(head)}"), *_PLACED])
    packed["head"] = np.void(head)
    packed["a"], packed["b"], packed["c"] = 4, 8, 8
    packed["partition"], packed["offset"] = partitions, offsets
    packed["logged_at"] = np.asarray(logged_at, np.int64) - TO_2000
    return records(packed)


def rows(topic: str, placed: Cells, columns: Columns) -> list[Row | None]:
    """The same for many events of a topic whose columns were read with its current schema.

    None where an event is not flat.

    Args:
        placed: of `places`.
    """
    made: list[Row | None] = [None] * len(columns.flat)
    content = Content(columns)
    if len(content):
        packed = map(Row, _packed(topic, chosen(placed, content.chosen), content).rows(), _recorded(content))
        for number, each in zip(content.chosen.tolist(), packed, strict=True):
            made[number] = each
    return made


def _packed(topic: str, placed: Cells, content: Content) -> Sheet:
    sheet = Sheet(len(content))
    sheet.cells(placed)
    workspaces = content.ids("workspace_id")
    if workspaces.present is not None:
        values = np.zeros((len(content), 16), np.uint8)  # the nil UUID
        if workspaces.present.any():
            values[workspaces.present] = workspaces.values[workspaces.present]
        workspaces = Cells(values)
    sheet.copied(workspaces)
    sheet.copied(content.ids("event_id"))
    if topic == "user":
        sheet.copied(content.texts("entity"))
    else:
        sheet.constant(_text(topic))
    sheet.copied(content.ids(ENTITY_ID[topic]))
    sheet.copied(numbers(content.numbers("version"), ">i4"))
    sheet.copied(content.texts("operation"))
    sheet.copied(content.ids("actor_id"))
    for name in ("source", "external_id", "correlation_id"):
        sheet.copied(content.texts(name))
    for name in ("occurred_at", "recorded_at"):
        sheet.copied(numbers(content.numbers(name) - TO_2000, ">i8"))
    document = _document(topic, content)
    sheet.cells(numbers(document.lengths + 1, ">i4"))
    sheet.constant(b"\x01")
    sheet.extend(document)
    return sheet


def _document(topic: str, content: Content) -> Sheet:
    """The state of each event, as `state` writes it."""
    sheet = Sheet(len(content))
    sheet.constant(b"{")
    begun = np.zeros(len(content), bool)
    for name in _own(_fields(topic)):
        cells = content.json(name)
        if cells is not None:
            comma = b"," if begun.all() else b""
            if not comma:
                sheet.constant(b",", begun if cells.present is None else begun & cells.present)
            sheet.constant(b'%b"%b":' % (comma, name.encode()), cells.present)
            sheet.cells(cells)
            begun = begun | (True if cells.present is None else cells.present)
    sheet.constant(b"}")
    return sheet


def _recorded(content: Content) -> Iterable[datetime | None]:
    """When each event was recorded that somebody waits for."""
    awaited = content.among("source", INTERACTIVE)
    if not awaited.any():
        return repeat(None, len(content))
    instants = zip(awaited.tolist(), content.numbers("recorded_at").tolist(), strict=True)
    return (_1970 + timedelta(microseconds=micros) if awaits else None for awaits, micros in instants)


def beyond_the_index(topic: str, event: Mapping[str, Any]) -> str | None:
    """Why live's totals cannot hold the event; None where they can.

    Told from each event alone, for PostgreSQL refuses only what changes the totals: that depends on what else is in the
    batch, and the same log must give the same decisions wherever it is cut.
    """
    if topic != "transaction":
        return None
    longest = max(len((part["category_id"] or "").encode()) for part in event["lines"] or (event,))
    length = longest + len(event["currency"].encode())
    if length <= LONGEST_KEY:
        return None
    return f"live's totals take a category and a currency of at most {LONGEST_KEY} bytes together, got {length}"


def state(event: Mapping[str, Any]) -> bytes:
    """The event's own fields as JSON: decimals as strings, ids and dates in ISO form. What is null is left out."""
    own = {name: event[name] for name in _own(tuple(event)) if event[name] is not None}
    return orjson.dumps(own, default=str)


@cache
def _own(names: tuple[str, ...]) -> tuple[str, ...]:
    """The fields that are not the envelope's, in the order of jsonb, shorter names first: it need not sort them."""
    return tuple(sorted(set(names) - _ENVELOPE, key=lambda name: (len(name), name)))


@cache
def _fields(topic: str) -> tuple[str, ...]:
    return tuple(field["name"] for field in contracts.schema(topic)["fields"])


@cache
def _head(topic: str, topic_id: str, *, is_split: bool) -> bytes:
    return _FIELDS + (_TRUE if is_split else _FALSE) + _text(topic) + _text(topic_id)


def _placed(partition: int, offset: int, logged_at: datetime) -> bytes:
    return _PLACE.pack(4, partition, 8, offset, 8, (logged_at - _2000) // _MICROSECOND)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    encoded = value.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def _id(value: UUID | None) -> bytes:
    return _NULL if value is None else b"\0\0\0\x10" + value.bytes


def _instant(value: datetime) -> bytes:
    return _LONG.pack(8, (value - _2000) // _MICROSECOND)


def _json(value: bytes) -> bytes:
    return _LENGTH.pack(len(value) + 1) + b"\x01" + value
