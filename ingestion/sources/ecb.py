"""The euro foreign exchange reference rates, in the files that the European Central Bank publishes.

The history has a line for each working day, newest first; the daily file has one line. Either comes plain or as a zip.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

LARGEST = 64 << 20
"""Bytes that a file may have, unpacked: many times the bank's whole history."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # a zip, and one without any file
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CODE = re.compile(r"[A-Z]{3}")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WRITTEN = re.compile(r"([0-9]{1,2}) ([A-Z][a-z]+) ([0-9]{4})")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_DIGITS = 12  # before the point, and after it: of numeric(24,12)
_NOT_QUOTED = ("", "N/A")


class UnreadableRates(ValueError):
    """The bytes are not such a file. The message names the file and the line, says what was expected, and what came."""


@dataclass(frozen=True, slots=True)
class Rate:
    """On the day `rate_on`, one euro is `per_eur` units of `currency` (ISO 4217)."""

    rate_on: date
    currency: str
    per_eur: Decimal


def zipped(content: bytes) -> bool:
    """Whether the bytes are a zip, whatever the file is called."""
    return content.startswith(_ZIP)


def parse(content: bytes, name: str) -> list[Rate]:
    """Every rate of a file, in the file's order; a day that is in it twice with the same values counts once.

    Args:
        content: the file's bytes, as they were published.
        name: what messages call the file.

    Raises:
        UnreadableRates: no rate of the file is to be used.
    """
    rows = _rows(_text(_unpacked(content, name), name), name)
    currencies = _currencies(rows, name)
    rates: list[Rate] = []
    days: dict[date, tuple[int, list[Decimal | None]]] = {}
    for line, cells in _whole(rows, len(currencies) + 1, name):
        day = _day(line, cells[0], name)
        values = [_value(line, code, cell, name) for code, cell in zip(currencies, cells[1:], strict=False)]
        before, known = days.setdefault(day, (line, values))
        if known != values:
            raise UnreadableRates(
                f"{name}, line {line}: expected each day once, got {day} with other values than in line {before}:"
                " remove the wrong one of the two lines"
            )
        if before == line:
            rates += [Rate(day, code, v) for code, v in zip(currencies, values, strict=True) if v is not None]
    if not rates:
        raise UnreadableRates(f"{name}: expected at least one rate, got none: get the file again")
    return rates


def _unpacked(content: bytes, name: str) -> bytes:
    if zipped(content):
        content = _only_file(content, name)
    if len(content) > LARGEST:
        raise UnreadableRates(
            f"{name}: expected at most {LARGEST >> 20} MB, got more: this is no file of the bank's reference rates"
        )
    return content


def _only_file(content: bytes, name: str) -> bytes:
    """The first bytes, one more than `LARGEST`, of the one file in a zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(files) == 1 and files[0].compress_type in _METHODS:
                with archive.open(files[0]) as file:
                    return file.read(LARGEST + 1)
    except Exception as error:  # zipfile meets damage with errors of a dozen kinds
        raise UnreadableRates(
            f"{name}: expected a zip that can be unpacked, got one that is damaged or encrypted ({error}):"
            " get the file again"
        ) from error
    if len(files) == 1:
        raise UnreadableRates(
            f"{name}: expected a zip packed by deflate, got another method: unpack it, and load what is in it"
        )
    raise UnreadableRates(
        f"{name}: expected a zip with one file in it, got {len(files)} files: unpack it, and load the right one"
    )


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = error.object.count(b"\n", 0, error.start) + 1, error.object[error.start]
        raise UnreadableRates(
            f"{name}, line {line}: expected text in UTF-8, got the byte 0x{byte:02x}: get the file again"
        ) from error


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells without surrounding blanks) of every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""))
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise UnreadableRates(
                f"{name}, line {reader.line_num}: expected cells between commas, got something else ({error}):"
                " get the file again"
            ) from error
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield reader.line_num, cells


def _currencies(rows: Iterator[tuple[int, list[str]]], name: str) -> list[str]:
    """The currencies of the columns, from the header."""
    line, cells = next(rows, (1, [""]))
    codes = _without_empty_end(cells[1:])
    if cells[0] != "Date" or not codes:
        raise UnreadableRates(
            f"{name}, line {line}: expected the header Date,USD,JPY,... of the European Central Bank's reference rates,"
            f" got {_shown(','.join(cells))}: load its history file or its daily file, plain or as .zip"
        )
    for place, code in enumerate(codes):
        if not _CODE.fullmatch(code):
            expected, advice = "a currency as three capital letters, such as USD", "correct the header"
        elif code == "EUR":
            expected, advice = "currencies other than the euro, which is 1 by definition", "remove this column"
        elif code in codes[:place]:
            expected, advice = "each currency in one column", "remove the wrong column"
        else:
            continue
        raise UnreadableRates(f"{name}, line {line}: expected {expected}, got {_shown(code)}: {advice}")
    return codes


def _whole(rows: Iterator[tuple[int, list[str]]], least: int, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with as many cells as the first: a file that was torn ends within a row.

    Args:
        least: how many of a row's cells mean something; those after them are empty.
    """
    width = 0
    for line, cells in rows:
        filled = len(_without_empty_end(cells))
        width = width or max(least, len(cells))
        if filled > least or len(cells) != width:
            expected, got = (least, filled) if filled > least else (width, len(cells))
            raise UnreadableRates(
                f"{name}, line {line}: expected {expected} cells, got {got}: get the file again, this one may be torn"
            )
        yield line, cells


def _day(line: int, text: str, name: str) -> date:
    try:
        if _ISO.fullmatch(text):
            return date.fromisoformat(text)
        if written := _WRITTEN.fullmatch(text):
            day, month, year = written.groups()
            return date(int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError:
        pass  # no such day or month: as wrong as any other text
    raise UnreadableRates(
        f"{name}, line {line}: expected a date such as 2026-10-30 or 30 October 2026, got {_shown(text)}:"
        " correct it, or get the file again"
    )


def _value(line: int, code: str, text: str, name: str) -> Decimal | None:
    """Units for one euro; None where the currency is not quoted."""
    if text in _NOT_QUOTED:
        return None
    number = _NUMBER.fullmatch(text)
    if not number or not text.strip("0."):
        expected = "a positive decimal number such as 1.1172, N/A or nothing"
    elif len(number[1].lstrip("0")) > _DIGITS or len((number[2] or "").rstrip("0")) > _DIGITS:
        expected = f"at most {_DIGITS} digits before and {_DIGITS} after the decimal point"
    else:
        return Decimal(text)
    raise UnreadableRates(
        f"{name}, line {line}: expected of {code} {expected}, got {_shown(text)}: correct it, or get the file again"
    )


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """Without what commas at the end of a line leave."""
    kept = list(cells)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
