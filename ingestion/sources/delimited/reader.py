"""The rows of a delimited file as records, each with the physical line it starts on."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Collection, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ingestion.rules import MAX_LENGTH
from ingestion.sources.delimited.columns import Mapping, UnknownColumns, recognised
from ingestion.sources.delimited.dialect import Dialect, UnreadableFile
from ingestion.sources.delimited.values import Amounts, BadValue, Dates, date_format, decimal_mark

_HEADER_WITHIN = 30  # rows; banks put the account's name and period above it
_SAMPLE_ROWS = 20_000
_SIGNS = {"€": "EUR", "£": "GBP"}
_ZERO = Decimal("0.0000")


class Record(NamedTuple):
    """One purchase of the file. `amount` is positive when money leaves the account."""

    line: int
    occurred_on: date
    posted_on: date | None
    amount: Decimal
    currency: str
    description: str | None
    merchant: str | None
    """The text to take the merchant from."""
    category: str | None
    mcc: str | None
    note: str | None


class Bad(NamedTuple):
    """One reason why a row cannot be used."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """A row that cannot be used: all that is wrong with it, and its cells as they stand in the file."""

    line: int
    problems: tuple[Bad, ...]
    cells: tuple[str, ...]


class DelimitedFile:
    """A file whose dialect, header, columns, date format and decimal mark are known. Reads nothing into memory.

    Args:
        path: plain or gzip.
        told: field to column name (`FIELDS`); the others are recognised.
        currency: of every row without a currency cell.
        currencies: the ISO 4217 codes that are known.
        spending_negative: the file writes money spent with a minus.
        date_form: a strptime format, where the file's own cannot be told from its dates.

    Raises:
        UnreadableFile, UnknownColumns, AmbiguousDates: the file as a whole cannot be read; the message says what to do.
    """

    def __init__(
        self,
        path: Path,
        *,
        told: AnyMapping[str, str] | None = None,
        currency: str | None = None,
        currencies: Collection[str],
        spending_negative: bool = False,
        date_form: str | None = None,
    ):
        self.path = path
        self.dialect = Dialect.of(path)
        self.mapping, self._header_rows = self._find_header(told or {})
        self._currency = currency
        self._currencies = frozenset(currencies)
        if currency is None and "currency" not in self.mapping.places:
            raise UnknownColumns(f"{path}: expected a column of currencies, found none: say --currency, such as EUR")
        if currency is not None and currency not in self._currencies:
            raise UnknownColumns(f"expected an ISO 4217 currency such as EUR, got {currency!r}")
        self._sign = -1 if spending_negative else 1
        dates, amounts = self._samples()
        self._dates = Dates(date_form or date_format(dates))
        self._amounts = Amounts(decimal_mark(amounts))

    @property
    def date_form(self) -> str:
        return self._dates.form

    @property
    def decimal_mark(self) -> str:
        return self._amounts.mark

    def rows(self) -> Iterator[Record | Refused]:
        """Every row below the header, in the file's order.

        Raises:
            UnreadableFile: the compressed data ends early or is damaged.
        """
        width = len(self.mapping.header)
        for line, cells in self._cells():
            if len(cells) != width and not (len(cells) > width and not any(cells[width:])):
                reason = f"expected {width} cells, got {len(cells)}"
                problem = Bad(line, "-", self.dialect.delimiter.join(cells)[:80], reason)
                yield Refused(line, (problem,), tuple(cells))
            else:
                yield self._record(line, cells)

    def _record(self, line: int, cells: list[str]) -> Record | Refused:
        problems: list[Bad] = []
        cell = _Cells(cells, self.mapping, line, problems)
        occurred_on = cell.value("date", self._dates.read)
        posted_on = cell.value("posted", self._dates.read, optional=True)
        amount = self._amount(cell)
        currency = (cell.text("currency") or self._currency or "").upper()
        if currency not in self._currencies:
            cell.bad("currency", "expected an ISO 4217 currency such as EUR")
        cell.same_currency(currency)
        merchant, description = cell.text("merchant"), cell.text("description")
        mcc = cell.text("mcc")
        if mcc is not None and mcc.strip("0") == "":
            mcc = None
        elif mcc is not None and not (mcc.isascii() and mcc.isdigit() and len(mcc) <= 4):
            cell.bad("mcc", "expected at most 4 digits")
        note, category = cell.text("note"), cell.text("category")
        if problems:
            return Refused(line, tuple(problems), tuple(cells))
        return Record(
            line,
            occurred_on,
            posted_on,
            amount,
            currency,
            description or merchant,
            merchant or description,
            category,
            mcc and mcc.zfill(4),
            note,
        )

    def _amount(self, cell: _Cells) -> Decimal | None:
        if "amount" in self.mapping.places:
            amount = cell.value("amount", self._amounts.read)
            return None if amount is None else amount * self._sign
        debit = cell.value("debit", self._amounts.read, optional=True)
        credit = cell.value("credit", self._amounts.read, optional=True)
        if debit is None and credit is None:
            cell.bad("debit" if "debit" in self.mapping.places else "credit", "expected an amount in debit or credit")
            return None
        return abs(debit or _ZERO) - abs(credit or _ZERO)

    def _cells(self, *, header: bool = False) -> Iterator[tuple[int, list[str]]]:
        """(physical line on which it starts, cells) of every row that is not blank."""
        with self.dialect.open(self.path) as text:
            reader = csv.reader(text, delimiter=self.dialect.delimiter, skipinitialspace=True)
            rows, line = 0, 1
            while True:
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    cells = [f"({error})"]
                except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                    raise UnreadableFile(
                        f"{self.path}, line {line}: the gzip data is damaged ({error}): get the file again"
                    ) from error
                if cells is None:
                    return
                start, line = line, reader.line_num + 1
                if not any(cells):
                    continue
                rows += 1
                if header or rows > self._header_rows:
                    yield start, cells

    def _find_header(self, told: AnyMapping[str, str]) -> tuple[Mapping, int]:
        """The mapping, and how many rows from the top are no data."""
        first: list[str] | None = None
        problem: UnknownColumns | None = None
        for number, (_, cells) in enumerate(islice(self._cells(header=True), _HEADER_WITHIN), start=1):
            first = first or cells
            if told and all(column.isdigit() for column in told.values()):  # columns by place: no header to look for
                return recognised([str(place) for place, _ in enumerate(cells, start=1)], told), 0
            try:
                mapping = recognised([cell.strip() for cell in cells], told)
            except UnknownColumns as error:
                problem = problem or error
                continue
            if mapping.complete():
                return mapping, number
        if problem:
            raise UnknownColumns(f"{self.path}: {problem}")
        columns = ", ".join(first or ())
        raise UnknownColumns(
            f"{self.path}: found no column for the date and the amount, the file has: {columns}. "
            "Say them, such as --map date=COLUMN,amount=COLUMN (or by place: date=1,amount=3)"
        )

    def _samples(self) -> tuple[list[str], list[str]]:
        dates, amounts = [], []
        places = self.mapping.places
        for _, cells in islice(self._cells(), _SAMPLE_ROWS):
            for field, into in (("date", dates), ("amount", amounts), ("debit", amounts), ("credit", amounts)):
                if field in places and places[field] < len(cells):
                    into.append(cells[places[field]])
        return dates, amounts


class _Cells:
    """Access to one row's cells by field; what is wrong is added to `problems`."""

    __slots__ = ("_cells", "_line", "_mapping", "_places", "_problems")

    def __init__(self, cells: list[str], mapping: Mapping, line: int, problems: list[Bad]):
        self._cells, self._mapping, self._line, self._problems = cells, mapping, line, problems
        self._places = mapping.places

    def text(self, field: str) -> str | None:
        """The cell without surrounding spaces; None when empty or when the file has no such column."""
        place = self._places.get(field)
        if place is None:
            return None
        text = self._cells[place].strip()
        if not text.isascii() and not _encodable(text):
            self.bad(field, "expected text in the file's encoding")
        elif "\0" in text:
            self.bad(field, "expected text without NUL characters")
        elif len(text) > MAX_LENGTH.get(field, 200):
            self.bad(field, f"expected at most {MAX_LENGTH.get(field, 200)} characters, got {len(text)}")
        return text or None

    def value(self, field: str, read, *, optional: bool = False):
        place = self._places.get(field)
        if place is None:
            return None
        text = self._cells[place].strip()
        if optional and not text:
            return None
        try:
            return read(text)
        except BadValue as error:
            self.bad(field, str(error))
            return None

    def same_currency(self, currency: str) -> None:
        """An amount that carries a sign of one currency alone is not of another."""
        place = self._places.get("amount")
        if place is None or self._cells[place].isascii():
            return
        for sign, code in _SIGNS.items():
            if sign in self._cells[place] and currency != code:
                self.bad("amount", f"the amount is in {code}, the row in {currency}")

    def bad(self, field: str, reason: str) -> None:
        place = self._places.get(field)
        column, value = ("-", "") if place is None else (self._mapping.header[place], self._cells[place])
        self._problems.append(Bad(self._line, column, value, reason))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
