"""Which of many values are surely events of a schema, found with a few array operations a field instead of one by one.

Decoding an event proves that it can be read, and costs more than all the rest of a landing. Here all values take each
step of the schema together: one array holds where each stands. What passes is what `Codec.decode` reads; what does not
pass may still be readable (a long list, a rare form of a number), so the caller decodes that one. Where the content is
wanted too, what each step of the outermost record has read is kept as a column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

LONGEST_TEXT = 300
"""Bytes; a value with a longer text is not flat."""

_PAD = LONGEST_TEXT  # zero bytes after the last value, so that a step beyond it reads something
_MOST_ITEMS = 100  # of an array's block; a longer one is left to the decoder
_MOST_DIGITS, _MOST_DECIMALS = 18, 6  # of a decimal in a column: 64 bits hold it, and it is written without exponent
_DAYS = (-719_162, 2_932_896)  # 0001-01-01 to 9999-12-31, from 1970-01-01
_MICROS = (_DAYS[0] * 86_400_000_000, (_DAYS[1] + 1) * 86_400_000_000 - 1)
_INT = (-(1 << 31), (1 << 31) - 1)
_DASH, _NO_DIGIT = 0x10, 0xFF
_DIGITS = bytes(_DASH if sign == ord("-") else b"0123456789abcdef".find(sign) & _NO_DIGIT for sign in range(256))
_UUID = np.array([_DASH >> 4 if place in (8, 13, 18, 23) else 0 for place in range(36)], np.uint8)


class _Unsupported(Exception):
    """A type for which there is no step: its values are all left to the decoder."""


class Column(NamedTuple):
    """What was read for one field.

    `rows` are the numbers of the values that have it. `content` is the number itself for integers, days, instants and
    symbols, else where the bytes begin, and `length` says how many there are. `detail` is the symbols of an enum, the
    scale of a decimal, and of ids (rows, 36) the digit at each place of the text.
    """

    kind: str
    rows: np.ndarray
    content: np.ndarray
    length: np.ndarray | None = None
    detail: Any = None


@dataclass(frozen=True)
class Columns:
    """Many values, read.

    `sure` says which are surely whole events of the schema, `flat` which of these are wholly in the columns: no list of
    theirs holds anything, and no text is long.
    """

    sure: np.ndarray
    flat: np.ndarray
    bytes: bytes
    buffer: np.ndarray
    fields: dict[str, list[Column]] = field(default_factory=dict)

    def numbers(self, name: str) -> np.ndarray:
        """Of each value: an integer, days since 1970, microseconds since 1970 or a symbol's number; 0 where none is."""
        found = np.zeros(len(self.sure), np.int64)
        for column in self.fields.get(name, ()):
            found[column.rows] = column.content
        return found


class _Values:
    """Many values behind each other, and where each stands. `good` turns false where one does not pass."""

    def __init__(self, values: Sequence[bytes], skip: int, *, keep: bool):
        self.bytes = b"".join([*values, bytes(_PAD)])
        self.buffer = np.frombuffer(self.bytes, np.uint8)
        self.ends = np.cumsum(np.fromiter(map(len, values), np.int64, len(values)))
        self.at = np.concatenate(([0], self.ends[:-1])) + skip
        self.good = self.at <= self.ends
        self.flat = np.ones(len(values), bool)
        self.fields: dict[str, list[Column]] | None = {} if keep else None
        self._limit = len(self.bytes) - _PAD

    def fail(self, rows: np.ndarray, wrong: np.ndarray) -> None:
        if wrong.any():
            self.good[rows[wrong]] = False

    def keep(self, name: str | None, *column: Any) -> None:
        """Keep what was read for the field; nothing where `name` is None or nobody wants it."""
        if name is not None and self.fields is not None:
            self.fields.setdefault(name, []).append(Column(*column))

    def skip(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Go on by `count` bytes; returns where they begin."""
        start = self._of(self.at, rows)
        self._go(rows, np.minimum(start + count, self._limit + 1))
        return start

    def byte(self, rows: np.ndarray) -> np.ndarray:
        return self.buffer[self.skip(rows, 1)]

    def long(self, rows: np.ndarray) -> np.ndarray:
        """Read Avro's variable-length integers of up to nine bytes, none of them in vain."""
        first = self.byte(rows)
        value = (first & 127).astype(np.int64)
        more = np.nonzero(first >= 128)[0]
        shift = 7
        while len(more) and shift < 63:
            following = self.byte(rows[more])
            value[more] |= (following & 127).astype(np.int64) << shift
            self.fail(rows[more], following == 0)
            more = more[following >= 128]
            shift += 7
        if len(more):
            self.good[rows[more]] = False
        return (value >> 1) ^ -(value & 1)

    def run(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read a length and pass as many bytes; returns where they begin and the length."""
        length = self.long(rows)
        start = self._of(self.at, rows)
        wrong = (length < 0) | (length > self._of(self.ends, rows) - start)
        self.fail(rows, wrong)
        length[wrong] = 0
        self._go(rows, start + length)
        return start, length

    def text(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start, length = self.run(rows)
        start = np.minimum(start, self._limit)
        for odd in self._not_plain(start, length):
            text = self.bytes[start[odd] : start[odd] + length[odd]]
            try:
                if "\0" in text.decode():
                    self.good[rows[odd]] = False
            except UnicodeDecodeError:
                self.good[rows[odd]] = False
        return start, length

    def _not_plain(self, start: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Which of the texts are long, or hold a NUL or a byte outside ASCII."""
        width = min(int(length.max(initial=1)), LONGEST_TEXT)
        texts = sliding_window_view(self.buffer, width)[start]
        odd = (texts - np.uint8(1)) >= np.uint8(127)
        odd &= np.arange(width, dtype=np.int16) < np.minimum(length, width).astype(np.int16)[:, None]
        if not odd.any() and width < LONGEST_TEXT:
            return np.zeros(0, np.int64)
        return np.nonzero(odd.any(axis=1) | (length > LONGEST_TEXT))[0]

    def _of(self, array: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What the array has for the rows, which are distinct and ascend: it itself where they are all."""
        return array if len(rows) == len(array) else array[rows]

    def _go(self, rows: np.ndarray, to: np.ndarray) -> None:
        if len(rows) == len(self.at):
            self.at = to
        else:
            self.at[rows] = to


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
            fields = [_step(field["type"], {}, field["name"]) for field in schema["fields"]]
            self._step: Step | None = _record(fields)
        except _Unsupported:
            self._step = None

    def passes(self, values: Sequence[bytes]) -> list[bool]:
        """Whether each value surely is a whole event of the schema, with values that PostgreSQL can hold."""
        return self._read(values, keep=False).sure.tolist()

    def read(self, values: Sequence[bytes]) -> Columns:
        """The same, and what the values hold."""
        return self._read(values, keep=True)

    def _read(self, values: Sequence[bytes], *, keep: bool) -> Columns:
        if self._step is None or not values:
            none = np.zeros(len(values), bool)
            return Columns(none, none, b"", np.zeros(0, np.uint8))
        read = _Values(values, self._skip, keep=keep)
        self._step(read, np.arange(len(values)))
        sure = read.good & (read.at == read.ends)
        return Columns(sure, sure & read.flat, read.bytes, read.buffer, read.fields or {})


def _step(schema: Any, named: dict[str, Step], name: str | None = None) -> Step:
    """The step of a type; `name` is the field of the outermost record that it is of, None further inside."""
    if isinstance(schema, list):
        return _union([_step(branch, named, name) for branch in schema])
    if isinstance(schema, str):
        if schema in named:
            return _inside(named[schema])
        if schema not in _PRIMITIVES:
            raise _Unsupported(schema)
        return _PRIMITIVES[schema](name)
    match schema["type"]:
        case "record":
            named[schema["name"]] = step = _record([_step(field["type"], named) for field in schema["fields"]])
            return _inside(step)
        case "enum":
            symbols = schema["symbols"]
            named[schema["name"]] = _between("enum", 0, len(symbols) - 1)(None)
            return _between("enum", 0, len(symbols) - 1, symbols)(name)
        case "array":
            return _array(_step(schema["items"], named), name)
    match schema["type"], schema.get("logicalType"):
        case _, None:
            return _step(schema["type"], named, name)
        case "bytes", "decimal":
            return _decimal(schema["precision"], schema.get("scale", 0), name)
        case "string", "uuid":
            return _uuid(name)
        case "int", "date":
            return _between("date", *_DAYS)(name)
        case "long", "timestamp-micros" | "local-timestamp-micros" as kind:
            return _between(kind, *_MICROS)(name)
    raise _Unsupported(schema["type"])


def _record(steps: Sequence[Step]) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        for each in steps:
            each(values, rows)

    return step


def _inside(of_type: Step) -> Step:
    """A type within the outermost record, of which no columns are kept."""

    def step(values: _Values, rows: np.ndarray) -> None:
        values.flat[rows] = False
        of_type(values, rows)

    return step


def _union(steps: Sequence[Step]) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        branch = values.byte(rows)  # twice its number, for Avro's integers are signed
        values.fail(rows, (branch & 1 != 0) | (branch >= 2 * len(steps)))
        for number, each in enumerate(steps):
            chosen = branch == 2 * number
            if each is not _null and chosen.any():
                each(values, rows if chosen.all() else rows[chosen])

    if len(steps) > 64:
        raise _Unsupported("a union of more than 64 types")
    return step


def _array(item: Step, name: str | None) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        values.keep(name, "list", rows, rows)
        while len(rows):
            left = values.long(rows)
            wrong = (left < 0) | (left > _MOST_ITEMS)
            values.fail(rows, wrong)
            rows, left = rows[~wrong & (left != 0)], left[~wrong & (left != 0)]
            rows, left = rows[values.good[rows]], left[values.good[rows]]
            values.flat[rows] = False
            for done in range(int(left.max(initial=0))):
                item(values, rows[left > done])

    return step


def _between(kind: str, least: int, most: int, detail: Any = None) -> Callable[[str | None], Step]:
    def of(name: str | None) -> Step:
        def step(values: _Values, rows: np.ndarray) -> None:
            read = values.long(rows)
            values.fail(rows, (read < least) | (read > most))
            values.keep(name, kind, rows, read, None, detail)

        return step

    return of


def _decimal(precision: int, scale: int, name: str | None) -> Step:
    longest = 0
    while (1 << (8 * (longest + 1) - 1)) < 10**precision:
        longest += 1

    def step(values: _Values, rows: np.ndarray) -> None:
        start, length = values.run(rows)
        values.fail(rows, (length == 0) | (length > longest))
        if precision > _MOST_DIGITS or scale > _MOST_DECIMALS:
            values.flat[rows] = False
        values.keep(name, "decimal", rows, start, length, scale)

    return step


def _uuid(name: str | None) -> Step:
    """The one form that there is: 8-4-4-4-12 hexadecimal digits in lower case."""

    def step(values: _Values, rows: np.ndarray) -> None:
        start, length = values.run(rows)
        usual = length == 36
        values.fail(rows, ~usual)
        text = sliding_window_view(values.buffer, 36)[np.minimum(start, len(values.buffer) - 36)]
        digits = np.frombuffer(text.tobytes().translate(_DIGITS), np.uint8).reshape(text.shape)
        odd = (digits >> 4) != _UUID
        if odd.any():
            values.fail(rows, odd.any(axis=1))
        values.keep(name, "uuid", rows, start, length, digits)

    return step


def _null(values: _Values, rows: np.ndarray) -> None:
    pass


def _boolean(name: str | None) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        read = values.byte(rows)
        values.fail(rows, read > 1)
        values.keep(name, "boolean", rows, read)

    return step


def _bytes(name: str | None) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        values.keep(name, "bytes", rows, *values.run(rows))

    return step


def _text(name: str | None) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        start, length = values.text(rows)
        values.flat[rows[length > LONGEST_TEXT]] = False
        values.keep(name, "text", rows, start, length)

    return step


def _fixed(kind: str, count: int) -> Callable[[str | None], Step]:
    def of(name: str | None) -> Step:
        def step(values: _Values, rows: np.ndarray) -> None:
            values.keep(name, kind, rows, values.skip(rows, count))

        return step

    return of


def _any_long(name: str | None) -> Step:
    def step(values: _Values, rows: np.ndarray) -> None:
        values.keep(name, "long", rows, values.long(rows))

    return step


_PRIMITIVES: dict[str, Callable[[str | None], Step]] = {
    "null": lambda name: _null,
    "boolean": _boolean,
    "int": _between("int", *_INT),
    "long": _any_long,
    "float": _fixed("float", 4),
    "double": _fixed("double", 8),
    "bytes": _bytes,
    "string": _text,
}
