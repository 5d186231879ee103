"""The columns that `Screen.read` has kept, as Python values and in PostgreSQL's binary form.

A column becomes a list with an entry for each value of the batch, in one go: what an event costs is then a few list
entries instead of a decoded record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from ingestion.screening import Column, Columns

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_EPOCH_DAY = date(1970, 1, 1).toordinal()
TO_2000 = 946_684_800_000_000  # microseconds from 1970 to 2000, where PostgreSQL counts from
_DIGIT = np.zeros(256, np.uint8)
_DIGIT[list(b"0123456789abcdef")] = range(16)
_DIGITS = np.array([place for place in range(36) if place not in (8, 13, 18, 23)])  # of a UUID's text
_LENGTH = struct.Struct(">i")


class Content:
    """The content of a batch's flat values; what is asked for of the others is not to be used.

    Args:
        columns: what a screen has read.
    """

    def __init__(self, columns: Columns):
        self._columns = columns
        self._count = len(columns.flat)
        self._ascii = columns.bytes.decode("latin-1")

    def plain(self, name: str) -> list[Any] | None:
        """The field as JSON has it: decimals, ids, days and instants as text. None where no value has the field."""
        return self._filled(name, self._plain)

    def numbers(self, name: str) -> np.ndarray:
        """Integers, days (since 1970) or instants (microseconds since 1970) as read; 0 where none is."""
        found = np.zeros(self._count, np.int64)
        for column in self._columns.fields.get(name, ()):
            found[column.rows] = column.content
        return found

    def packed_ids(self, name: str, missing: bytes) -> list[bytes]:
        """A UUID each, as PostgreSQL's binary COPY has it, length first; `missing` where there is none."""
        return self._filled(name, self._ids, missing) or [missing] * self._count

    def packed_instants(self, name: str, missing: bytes) -> list[bytes]:
        """An instant each, as PostgreSQL's binary COPY has a timestamptz, length first; `missing` where none is."""
        return self._filled(name, self._instants, missing) or [missing] * self._count

    def packed_texts(self, name: str, missing: bytes) -> list[bytes]:
        """A text each, as PostgreSQL's binary COPY has it, length first; `missing` where there is none."""
        texts = self.plain(name)
        if texts is None:
            return [missing] * self._count
        return [missing if text is None else _packed(text) for text in texts]

    def _filled(self, name: str, of: Callable[[Column], list[Any]], missing: bytes | None = None) -> list[Any] | None:
        found: list[Any] | None = None
        for column in self._columns.fields.get(name, ()):
            is_flat = self._columns.flat[column.rows]
            if not is_flat.all():
                length = None if column.length is None else column.length[is_flat]
                column = column._replace(rows=column.rows[is_flat], content=column.content[is_flat], length=length)
            if not len(column.rows):
                continue
            values = of(column)
            if len(values) == self._count:
                return values
            found = [missing] * self._count if found is None else found
            for row, value in zip(column.rows.tolist(), values, strict=True):
                found[row] = value
        return found

    def _plain(self, column: Column) -> list[Any]:
        match column.kind:
            case "text":
                return self._texts(column)
            case "uuid":
                return [self._ascii[start : start + 36] for start in column.content.tolist()]
            case "enum":
                return [column.detail[number] for number in column.content.tolist()]
            case "int" | "long":
                return column.content.tolist()
            case "boolean":
                return column.content.astype(bool).tolist()
            case "decimal":
                return self._decimals(column)
            case "date":
                return [_day(number) for number in column.content.tolist()]
            case "timestamp-micros":
                return [f"{_local(number)}+00:00" for number in column.content.tolist()]
            case "local-timestamp-micros":
                return [_local(number) for number in column.content.tolist()]
            case "float" | "double":
                width = 4 if column.kind == "float" else 8
                return self._gathered(column.content, width).view(f"<f{width}").ravel().tolist()
            case "list":
                return [[] for _ in column.rows]
        raise ValueError(f"no text for a column of {column.kind}")

    def _texts(self, column: Column) -> list[str]:
        starts, ends = column.content.tolist(), (column.content + column.length).tolist()
        texts = [self._ascii[start:end] for start, end in zip(starts, ends, strict=True)]
        for number, text in enumerate(texts):
            if not text.isascii():
                texts[number] = self._columns.bytes[starts[number] : ends[number]].decode()
        return texts

    def _decimals(self, column: Column) -> list[str]:
        numbers = np.zeros(len(column.rows), np.int64)
        for place in range(int(column.length.max())):  # big-endian, two's complement
            within = column.length > place
            digits = self._columns.buffer[np.where(within, column.content + place, 0)]
            digits = digits.astype(np.int8).astype(np.int64) if place == 0 else digits.astype(np.int64)
            numbers = np.where(within, (numbers << 8) | digits, numbers)
        return [_decimal(number, column.detail) for number in numbers.tolist()]

    def _ids(self, column: Column) -> list[bytes]:
        digits = _DIGIT[self._columns.buffer[column.content[:, None] + _DIGITS]]
        packed = np.empty((len(column.rows), 20), np.uint8)
        packed[:, :4] = (0, 0, 0, 16)
        packed[:, 4:] = (digits[:, ::2] << 4) | digits[:, 1::2]
        return cut(packed.tobytes(), 20)

    @staticmethod
    def _instants(column: Column) -> list[bytes]:
        packed = np.empty(len(column.rows), [("length", ">i4"), ("instant", ">i8")])
        packed["length"], packed["instant"] = 8, column.content - TO_2000
        return cut(packed.tobytes(), 12)

    def _gathered(self, starts: np.ndarray, width: int) -> np.ndarray:
        return np.ascontiguousarray(self._columns.buffer[starts[:, None] + np.arange(width)])


def _packed(text: str) -> bytes:
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded


def cut(packed: bytes, width: int) -> list[bytes]:
    return [packed[start : start + width] for start in range(0, len(packed), width)]


@lru_cache(maxsize=100_000)
def _day(number: int) -> str:
    return date.fromordinal(_EPOCH_DAY + number).isoformat()


def _local(micros: int) -> str:
    return (_EPOCH + timedelta(microseconds=micros)).isoformat()


def _decimal(number: int, scale: int) -> str:
    """As `str` writes a Decimal of that scale, which has no exponent up to a scale of 6."""
    if not scale:
        return str(number)
    whole, part = divmod(abs(number), 10**scale)
    return f"{'-' if number < 0 else ''}{whole}.{part:0{scale}}"
