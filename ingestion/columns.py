"""The columns that `Screen.read` has kept, as cells: in PostgreSQL's binary form, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
import orjson
from numpy.lib.stride_tricks import sliding_window_view

from ingestion.packing import Cells, chosen, listed, said
from ingestion.screening import Column, Columns

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_EPOCH_DAY = date(1970, 1, 1).toordinal()
TO_2000 = 946_684_800_000_000  # microseconds from 1970 to 2000, where PostgreSQL counts from
_FIRST = np.array([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34])  # digit of each byte, in a UUID's text
_ESCAPED = np.zeros(256, bool)  # in JSON
_ESCAPED[[*range(0x20), *b'"\\']] = True
_MOST_DIGITS = 19  # of what Avro's decimals of eight bytes hold


class Content:
    """The content of a batch's flat values: a field of theirs is a row of cells each.

    Args:
        columns: what a screen has read.

    Attributes:
        chosen: the numbers of the flat values.
    """

    def __init__(self, columns: Columns):
        self._columns = columns
        self.chosen = np.nonzero(columns.flat)[0]
        self._row = np.full(len(columns.flat), -1)
        self._row[self.chosen] = np.arange(len(self.chosen))

    def __len__(self) -> int:
        return len(self.chosen)

    def numbers(self, name: str) -> np.ndarray:
        """As `Columns.numbers`."""
        return self._columns.numbers(name)[self.chosen]

    def among(self, name: str, symbols: Set[str]) -> np.ndarray:
        """Whether each value has one of these symbols, of an enum."""
        found = np.zeros(len(self), bool)
        for column in self._of(name):
            found[column.rows] = np.array([symbol in symbols for symbol in column.detail])[column.content]
        return found

    def texts(self, name: str) -> Cells:
        """As text, in UTF-8: also decimals, ids, symbols, days and instants (ISO 8601)."""
        return self._filled(name, self._text)

    def ids(self, name: str) -> Cells:
        """UUIDs as their 16 bytes."""
        return self._filled(name, self._ids)

    def json(self, name: str) -> Cells | None:
        """The field as JSON has it: decimals, ids, days and instants as text. None where no value has the field."""
        cells = self._filled(name, self._json)
        return cells if cells.present is None or cells.present.any() else None

    def _of(self, name: str) -> list[Column]:
        """The columns of the field, of the flat values alone."""
        columns = self._columns.fields.get(name, [])
        if len(self) == len(self._row):
            return columns
        found = []
        for column in columns:
            rows = self._row[column.rows]
            ours = rows >= 0
            length = column.length
            if not ours.all():
                rows, length = rows[ours], None if length is None else length[ours]
                detail = column.detail[ours] if column.kind == "uuid" else column.detail
                column = column._replace(content=column.content[ours], detail=detail)
            if len(rows):
                found.append(column._replace(rows=rows, length=length))
        return found

    def _filled(self, name: str, of: Callable[[Column], Cells]) -> Cells:
        columns = self._of(name)
        if len(columns) == 1 and len(columns[0].rows) == len(self):
            return of(columns[0])
        parts = [of(column) for column in columns]
        values = np.zeros((len(self), max((part.values.shape[1] for part in parts), default=0)), np.uint8)
        lengths, present = np.zeros(len(self), np.int64), np.zeros(len(self), bool)
        for column, part in zip(columns, parts, strict=True):
            width = part.values.shape[1]
            values[column.rows, :width] = part.values
            lengths[column.rows] = width if part.lengths is None else part.lengths
            present[column.rows] = True
        return Cells(values, lengths, present)

    def _text(self, column: Column) -> Cells:
        match column.kind:
            case "text":
                return Cells(self._bytes(column.content, max(int(column.length.max()), 1)), column.length)
            case "uuid":
                return Cells(self._bytes(column.content, 36))
            case "enum":
                return chosen(listed([symbol.encode() for symbol in column.detail]), column.content)
            case "decimal":
                return _decimals(self._integers(column), column.detail)
            case "date":
                return said(column.content, _day)
            case "timestamp-micros":
                return said(column.content, lambda number: _local(number) + b"+00:00")
            case "local-timestamp-micros":
                return said(column.content, _local)
        raise ValueError(f"no text for a column of {column.kind}")

    def _json(self, column: Column) -> Cells:
        match column.kind:
            case "text":
                return _quoted(_escaped(self._text(column)))
            case "int" | "long":
                return said(column.content, lambda number: str(number).encode())
            case "boolean":
                return said(column.content, lambda value: b"true" if value else b"false")
            case "float" | "double":
                width = 4 if column.kind == "float" else 8
                bits = self._bytes(column.content, width).view(f"<i{width}").ravel()
                return said(bits, lambda each: orjson.dumps(np.array(each, f"<i{width}").view(f"<f{width}").item()))
            case "list":
                return Cells(np.broadcast_to(np.frombuffer(b"[]", np.uint8), (len(column.rows), 2)))
        return _quoted(self._text(column))

    def _bytes(self, starts: np.ndarray, width: int) -> np.ndarray:
        return sliding_window_view(self._columns.buffer, width)[starts]

    def _integers(self, column: Column) -> np.ndarray:
        numbers = np.zeros(len(column.rows), np.int64)
        for place in range(int(column.length.max())):  # big-endian, two's complement
            within = column.length > place
            digits = self._columns.buffer[np.where(within, column.content + place, 0)]
            digits = digits.astype(np.int8).astype(np.int64) if place == 0 else digits.astype(np.int64)
            numbers = np.where(within, (numbers << 8) | digits, numbers)
        return numbers

    def _ids(self, column: Column) -> Cells:
        return Cells((column.detail[:, _FIRST] << 4) | column.detail[:, _FIRST + 1])


def _escaped(texts: Cells) -> Cells:
    odd = _ESCAPED[texts.values] & (np.arange(texts.values.shape[1]) < texts.lengths[:, None])
    rows = np.nonzero(odd.any(axis=1))[0]
    if not len(rows):
        return texts
    escaped = listed(
        [orjson.dumps(texts.values[row, : texts.lengths[row]].tobytes().decode())[1:-1] for row in rows.tolist()]
    )
    values = np.zeros((len(texts.values), max(escaped.values.shape[1], texts.values.shape[1])), np.uint8)
    values[:, : texts.values.shape[1]] = texts.values
    lengths = texts.lengths.copy()
    values[rows, : escaped.values.shape[1]], lengths[rows] = escaped.values, escaped.lengths
    return Cells(values, lengths)


def _quoted(cells: Cells) -> Cells:
    values = np.full((len(cells.values), cells.values.shape[1] + 2), ord('"'), np.uint8)
    values[:, 1:-1] = cells.values
    if cells.lengths is None:
        return Cells(values)
    values[np.arange(len(values)), cells.lengths + 1] = ord('"')
    return Cells(values, cells.lengths + 2)


def _decimals(numbers: np.ndarray, scale: int) -> Cells:
    """As `str` writes Decimals of that scale, which have no exponent up to a scale of 6."""
    rest, count = np.abs(numbers), len(numbers)
    text = np.full((count, _MOST_DIGITS + 2), ord("0"), np.uint8)  # a sign, the digits and a point, from the right on
    width = text.shape[1]
    for place in range(_MOST_DIGITS):
        if place > scale and not rest.any():
            break
        rest, digit = np.divmod(rest, 10)
        text[:, width - 1 - place - (1 if scale and place >= scale else 0)] += digit.astype(np.uint8)
    if scale:
        text[:, width - 1 - scale] = ord(".")
    whole = width - (scale + 1 if scale else 0)  # how wide the text is before the point
    used = (text[:, :whole] != ord("0")).argmax(axis=1)
    used = np.where((text[:, :whole] != ord("0")).any(axis=1), used, whole - 1)
    negative = numbers < 0
    start = used - negative
    text[np.nonzero(negative)[0], start[negative]] = ord("-")
    lengths = width - start
    places = np.minimum(start[:, None] + np.arange(int(lengths.max(initial=1))), width - 1)
    return Cells(np.take_along_axis(text, places, axis=1), lengths)


@lru_cache(maxsize=100_000)
def _day(number: int) -> bytes:
    return date.fromordinal(_EPOCH_DAY + number).isoformat().encode()


def _local(micros: int) -> bytes:
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().encode()
