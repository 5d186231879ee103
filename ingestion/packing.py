"""Many rows of bytes, made a field at a time and put together in one go.

To join a row of many short fields costs more than to read them. Here each field of all rows is a matrix as wide as its
longest value; the rows are what stands in the matrices side by side, without what no value reaches.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

_LENGTH = struct.Struct(">i")
_AT_ONCE = 1 << 19  # bytes of the rows that are put together at once: one long value makes all of them as wide


class Cells(NamedTuple):
    """A field of many rows.

    `values` holds bytes, (rows, widest), each value from the left on. `lengths` says how many bytes of each row are
    the value's, `present` which rows have one; None says all of them.
    """

    values: np.ndarray
    lengths: np.ndarray | None = None
    present: np.ndarray | None = None


class Sheet:
    """Rows in the making; `lengths` says how long each is so far."""

    def __init__(self, rows: int):
        self.lengths = np.zeros(rows, np.int64)
        self._fields: list[tuple[np.ndarray, np.ndarray | None]] = []  # bytes, and which of them count

    def constant(self, value: bytes, present: np.ndarray | None = None) -> None:
        """The same bytes in each row, or in those where `present` is true."""
        self.lengths += len(value) if present is None else len(value) * present
        within = None if present is None else present[:, None]
        if within is None and self._fields and self._fields[-1][1] is None and len(self._fields[-1][0]) == 1:
            before, _ = self._fields.pop()
            value = before.tobytes() + value
        self._fields.append((np.frombuffer(value, np.uint8)[None, :], within))

    def cells(self, cells: Cells) -> None:
        """A field of which only what is present counts."""
        width = cells.values.shape[1]
        if cells.lengths is None:
            within = None if cells.present is None else cells.present[:, None]
            self.lengths += width if cells.present is None else width * cells.present
        else:
            lengths = cells.lengths if cells.present is None else np.where(cells.present, cells.lengths, 0)
            within = np.arange(width, dtype=np.int16) < lengths.astype(np.int16)[:, None]
            self.lengths += lengths
        self._fields.append((cells.values, within))

    def copied(self, cells: Cells) -> None:
        """A field as PostgreSQL's binary COPY has it: its length and its bytes, or that there is none."""
        if cells.lengths is None and cells.present is None:
            self.constant(_LENGTH.pack(cells.values.shape[1]))
        else:
            lengths = np.full(len(cells.values), cells.values.shape[1]) if cells.lengths is None else cells.lengths
            self.cells(numbers(lengths if cells.present is None else np.where(cells.present, lengths, -1), ">i4"))
        self.cells(cells)

    def extend(self, other: Sheet) -> None:
        """All that another one holds of the same rows."""
        self.lengths = self.lengths + other.lengths
        self._fields += other._fields

    def rows(self) -> list[bytes]:
        """The rows."""
        packed = self.joined()
        return [packed[start:end] for start, end in pairwise([0, *np.cumsum(self.lengths).tolist()])]

    def joined(self) -> bytes:
        """The rows behind each other."""
        width = max(sum(values.shape[1] for values, _ in self._fields), 1)
        count = len(self.lengths)
        step = min(max(_AT_ONCE // width, 1), max(count, 1))
        sheet, counts = np.empty((step, width), np.uint8), np.ones((step, width), bool)
        fields = self._begin(sheet)
        return b"".join(
            _filled(sheet, counts, fields, begin, min(begin + step, count)) for begin in range(0, count, step)
        )

    def _begin(self, sheet: np.ndarray) -> list[tuple[slice, np.ndarray | None, np.ndarray | None]]:
        """Write what is the same in all rows. Returns the other fields: their place, bytes, and which of them count."""
        rest, at = [], 0
        for values, within in self._fields:
            place = slice(at, at := at + values.shape[1])
            if len(values) == 1:
                sheet[:, place] = values
            if len(values) != 1 or within is not None:
                rest.append((place, None if len(values) == 1 else values, within))
        return rest


def _filled(
    sheet: np.ndarray,
    counts: np.ndarray,
    fields: Sequence[tuple[slice, np.ndarray | None, np.ndarray | None]],
    begin: int,
    end: int,
) -> np.ndarray:
    """The rows from `begin` on, before `end`, behind each other; `sheet` and `counts` hold so many or more."""
    sheet, counts = sheet[: end - begin], counts[: end - begin]
    for place, values, within in fields:
        if values is not None:
            sheet[:, place] = values[begin:end]
        if within is not None:
            counts[:, place] = within[begin:end]
    return sheet[counts]


def numbers(values: Any, kind: str) -> Cells:
    """Numbers as the bytes of a NumPy type such as ``>i4``."""
    return records(np.asarray(values).astype(kind))


def records(values: np.ndarray) -> Cells:
    """The items of an array of one dimension as bytes."""
    return Cells(np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.itemsize))


def listed(values: Sequence[bytes]) -> Cells:
    """Values one by one."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return records(np.array(values, f"S{max(lengths.max(initial=0), 1)}"))._replace(lengths=lengths)


def chosen(table: Cells, which: np.ndarray) -> Cells:
    """The value of the table with each of these numbers."""
    return Cells(table.values[which], None if table.lengths is None else table.lengths[which])


def said(numbers: np.ndarray, say: Callable[[Any], bytes]) -> Cells:
    """What `say` makes of each number, asked once for each that is there."""
    distinct, which = np.unique(numbers, return_inverse=True)
    return chosen(listed([say(number) for number in distinct.tolist()]), which)
