"""Which of many values are surely events of a schema, found with a few array operations a field instead of one by one.

Decoding an event proves that it can be read, and costs more than all the rest of a landing. Here all values take each
step of the schema together: one array holds where each stands. What passes is what `Codec.decode` reads; what does not
pass may still be readable (a long text, a rare form of a UUID), so the caller decodes that one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_PAD = 64  # zero bytes after the last value, so that a step beyond it reads something
_MOST_ITEMS = 100  # of an array's block; a longer one is left to the decoder
_DAYS = (-719_162, 2_932_896)  # 0001-01-01 to 9999-12-31, from 1970-01-01
_MICROS = (_DAYS[0] * 86_400_000_000, (_DAYS[1] + 1) * 86_400_000_000 - 1)
_INT = (-(1 << 31), (1 << 31) - 1)
_UUID = np.array([2 if place in (8, 13, 18, 23) else 1 for place in range(36)], np.uint8)
_SIGNS = np.zeros(256, np.uint8)
_SIGNS[list(b"0123456789abcdefABCDEF")] = 1
_SIGNS[ord("-")] = 2


class _Unsupported(Exception):
    """A type for which there is no step: its values are all left to the decoder."""


class _Values:
    """Many values behind each other, and where each stands. `good` turns false where one does not pass."""

    def __init__(self, values: Sequence[bytes], skip: int):
        self.bytes = b"".join([*values, bytes(_PAD)])
        self.buffer = np.frombuffer(self.bytes, np.uint8)
        self.ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        self.at = np.concatenate(([0], self.ends[:-1])) + skip
        self.good = self.at <= self.ends
        self._limit = len(self.bytes) - _PAD
        # How many bytes up to each place are no plain text: NUL or outside ASCII.
        self._odd = np.concatenate(([0], np.cumsum((self.buffer - np.uint8(1)) >= np.uint8(127), dtype=np.int32)))

    def fail(self, rows: np.ndarray, wrong: np.ndarray) -> None:
        if wrong.any():
            self.good[rows[wrong]] = False

    def skip(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Go on by `count` bytes; returns where they begin."""
        start = self.at[rows]
        self.at[rows] = np.minimum(start + count, self._limit + 1)
        return start

    def byte(self, rows: np.ndarray) -> np.ndarray:
        return self.buffer[np.minimum(self.skip(rows, 1), self._limit)]

    def long(self, rows: np.ndarray) -> np.ndarray:
        """Read Avro's variable-length integers of up to nine bytes."""
        first = self.byte(rows)
        value = (first & 127).astype(np.int64)
        more = np.nonzero(first >= 128)[0]
        shift = 7
        while len(more) and shift < 63:
            following = self.byte(rows[more])
            value[more] |= (following & 127).astype(np.int64) << shift
            more = more[following >= 128]
            shift += 7
        if len(more):
            self.good[rows[more]] = False
        return (value >> 1) ^ -(value & 1)

    def run(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read a length and pass as many bytes; returns where they begin and the length."""
        length = self.long(rows)
        start = self.at[rows]
        wrong = (length < 0) | (length > self.ends[rows] - start)
        self.fail(rows, wrong)
        length[wrong] = 0
        self.at[rows] = start + length
        return start, length

    def text(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start, length = self.run(rows)
        start = np.minimum(start, self._limit)
        for odd in np.nonzero(self._odd[start + length] != self._odd[start])[0]:
            text = self.bytes[start[odd] : start[odd] + length[odd]]
            try:
                if "\0" in text.decode():
                    self.good[rows[odd]] = False
            except UnicodeDecodeError:
                self.good[rows[odd]] = False
        return start, length


Step = Callable[[_Values, np.ndarray], None]
"""Reads one field of the values with these numbers."""


class Screen:
    """The steps of one writer's schema.

    Args:
        schema: the schema as fastavro's `parse_schema` gives it (names in full).
        skip: bytes of each value before its Avro.
    """

    def __init__(self, schema: Mapping[str, Any], *, skip: int):
        self._skip = skip
        try:
            self._step: Step | None = _step(schema, {})
        except _Unsupported:
            self._step = None

    def passes(self, values: Sequence[bytes]) -> list[bool]:
        """Whether each value surely is a whole event of the schema, with values that PostgreSQL can hold."""
        if self._step is None or not values:
            return [False] * len(values)
        read = _Values(values, self._skip)
        self._step(read, np.arange(len(values)))
        return (read.good & (read.at == read.ends)).tolist()


def _step(schema: Any, named: dict[str, Step]) -> Step:
    if isinstance(schema, list):
        return _union([_step(branch, named) for branch in schema])
    if isinstance(schema, str):
        found = named.get(schema) or _PRIMITIVES.get(schema)
        if found is None:
            raise _Unsupported(schema)
        return found
    match schema["type"]:
        case "record":
            named[schema["name"]] = step = _record([_step(field["type"], named) for field in schema["fields"]])
            return step
        case "enum":
            named[schema["name"]] = step = _between(0, len(schema["symbols"]) - 1)
            return step
        case "array":
            return _array(_step(schema["items"], named))
    match schema["type"], schema.get("logicalType"):
        case _, None:
            return _step(schema["type"], named)
        case "bytes", "decimal":
            return _decimal(schema["precision"])
        case "string", "uuid":
            return _uuid
        case "int", "date":
            return _between(*_DAYS)
        case "long", "timestamp-micros" | "local-timestamp-micros":
            return _between(*_MICROS)
    raise _Unsupported(schema["type"])


def _record(steps: Sequence[Step]) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        for each in steps:
            each(values, rows)

    return step


def _union(steps: Sequence[Step]) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        branch = values.byte(rows)  # twice its number, for Avro's integers are signed
        values.fail(rows, (branch & 1 != 0) | (branch >= 2 * len(steps)))
        for number, each in enumerate(steps):
            if each is not _null and len(of_it := rows[branch == 2 * number]):
                each(values, of_it)

    if len(steps) > 64:
        raise _Unsupported("a union of more than 64 types")
    return step


def _array(item: Step) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        while len(rows):
            left = values.long(rows)
            wrong = (left < 0) | (left > _MOST_ITEMS)
            values.fail(rows, wrong)
            rows, left = rows[~wrong & (left != 0)], left[~wrong & (left != 0)]
            rows, left = rows[values.good[rows]], left[values.good[rows]]
            for done in range(int(left.max(initial=0))):
                item(values, rows[left > done])

    return step


def _between(least: int, most: int) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        read = values.long(rows)
        values.fail(rows, (read < least) | (read > most))

    return step


def _decimal(precision: int) -> Step:
    longest = 0
    while (1 << (8 * (longest + 1) - 1)) < 10**precision:
        longest += 1

    def step(values: _Values, rows: np.ndarray) -> None:
        _, length = values.run(rows)
        values.fail(rows, (length == 0) | (length > longest))

    return step


def _uuid(values: _Values, rows: np.ndarray) -> None:
    """Only the usual form, 8-4-4-4-12 hexadecimal digits."""
    start, length = values.run(rows)
    usual = length == 36
    values.fail(rows, ~usual)
    places = np.minimum(start, len(values.buffer) - 36)[:, None] + np.arange(36)
    values.fail(rows, (_SIGNS[values.buffer[places]] != _UUID).any(axis=1))


def _null(values: _Values, rows: np.ndarray) -> None:
    pass


def _boolean(values: _Values, rows: np.ndarray) -> None:
    values.fail(rows, values.byte(rows) > 1)


def _bytes(values: _Values, rows: np.ndarray) -> None:
    values.run(rows)


def _text(values: _Values, rows: np.ndarray) -> None:
    values.text(rows)


def _fixed(count: int) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        values.skip(rows, count)

    return step


def _any_long(values: _Values, rows: np.ndarray) -> None:
    values.long(rows)


_PRIMITIVES: dict[str, Step] = {
    "null": _null,
    "boolean": _boolean,
    "int": _between(*_INT),
    "long": _any_long,
    "float": _fixed(4),
    "double": _fixed(8),
    "bytes": _bytes,
    "string": _text,
}
