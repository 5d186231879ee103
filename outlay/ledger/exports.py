"""A list of expenses as a file: CSV for a spreadsheet, Parquet for a program, made while it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from outlay.ledger.queries import choices, expenses
from outlay.ledger.queries.expenses import Expense, Filter, Line, Sort

Format = Literal["csv", "parquet"]
MEDIA_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}

_EXPENSES = 200  # read together: a split one has up to 200 parts
_ROWS = 5_000  # written together, and a few more
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_AMOUNT, _TEXT = pa.decimal128(18, 4), pa.string()

COLUMNS = pa.schema(
    [
        ("transaction_id", _TEXT),
        ("version", pa.int32()),
        ("occurred_on", pa.date32()),
        ("posted_on", pa.date32()),
        ("kind", _TEXT),
        ("status", _TEXT),
        ("void", pa.bool_()),
        ("amount", _AMOUNT),
        ("currency", _TEXT),
        ("part", pa.int32()),
        ("part_amount", _AMOUNT),
        ("category_id", _TEXT),
        ("category", _TEXT),
        ("merchant", _TEXT),
        ("description", _TEXT),
        ("counterparty", _TEXT),
        ("note", _TEXT),
        ("part_note", _TEXT),
        ("tags", pa.list_(_TEXT)),
        ("account_id", _TEXT),
        ("account", _TEXT),
        ("mcc", _TEXT),
        ("refund_of", _TEXT),
        ("transfer_pair", _TEXT),
        ("source", _TEXT),
        ("external_id", _TEXT),
        ("recorded_at", pa.timestamp("us", "UTC")),
    ]
)
"""One row for each part of an expense: a split one has a part in each of its categories, and others one. `amount` is of
the whole, `part_amount` of the part; sums are of parts."""

Row = dict[str, Any]


def rows(connection: psycopg.Connection, wanted: Filter, sort: Sort) -> Iterator[list[Row]]:
    """The parts of the expenses that a filter leaves, as they are in one moment, `_ROWS` at a time.

    Args:
        connection: a session whose transactions are repeatable reads; it is read from until the last of them was taken.
    """
    accounts = {account.account_id: account.name for account in choices.accounts(connection)}
    tree = choices.categories(connection)
    made: list[Row] = []
    for found in expenses.every(connection, wanted, sort=sort, size=_EXPENSES):
        lines = expenses.lines_of(connection, [expense.transaction_id for expense in found])
        made += [
            _row(expense, number, line, accounts, tree)
            for expense in found
            for number, line in enumerate(lines.get(expense.transaction_id) or [_whole(expense)], start=1)
        ]
        if len(made) >= _ROWS:
            yield made
            made = []
    if made:
        yield made


def _whole(expense: Expense) -> Line:
    return Line(expense.transaction_id, expense.category_id, expense.amount, None)


def _row(expense: Expense, number: int, line: Line, accounts: Mapping[UUID, str], tree: choices.Categories) -> Row:
    of_part = {
        "part": number,
        "part_amount": line.amount,
        "part_note": line.note,
        "category_id": line.category_id,
        "category": tree.path(line.category_id) or None,
        "account": accounts.get(expense.account_id),
        "void": expense.void,
    }
    row = {**vars(expense), **of_part}
    return {name: str(row[name]) if isinstance(row[name], UUID) else row[name] for name in COLUMNS.names}


def as_csv(batches: Iterable[list[Row]]) -> Iterator[bytes]:
    """RFC 4180 in UTF-8, with a header. A text that a spreadsheet would take for a formula begins with a ``'``."""
    lines: list[str] = []
    writer = csv.writer(_Sink(lines.append))
    writer.writerow(COLUMNS.names)
    for batch in batches:
        writer.writerows([_cell(value) for value in row.values()] for row in batch)
        yield "".join(lines).encode()
        lines.clear()
    yield "".join(lines).encode()


def as_parquet(batches: Iterable[list[Row]]) -> Iterator[bytes]:
    """Parquet with the types of `COLUMNS`, a row group for each batch."""
    pages: list[bytes] = []
    sink = pa.PythonFile(_Sink(lambda data: pages.append(bytes(data))), "w")
    with pq.ParquetWriter(sink, COLUMNS, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_pylist(batch, COLUMNS))
            yield b"".join(pages)
            pages.clear()
    yield b"".join(pages)


class _Sink(io.IOBase):
    """A file that gives away what is written, and knows how much it was."""

    def __init__(self, take: Callable[[Any], object]):
        self._take, self._written = take, 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._take(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written


WRITERS: dict[Format, Callable[[Iterable[list[Row]]], Iterator[bytes]]] = {"csv": as_csv, "parquet": as_parquet}


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Decimal():
            return format(value, "f")
        case datetime() | date():
            return value.isoformat()
        case list():
            return _shown(", ".join(value))
        case _:
            return _shown(str(value))


def _shown(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
