"""The texts of cells as values: dates in the file's one format, amounts with the file's one decimal mark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from ingestion.rules import EARLIEST, LATEST

ISO = "ISO 8601"
_FORMATS = (
    ISO,
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
)
_TIME_OF_DAY = re.compile(r"[ T]\d{1,2}:\d{2}(?::\d{2})?(?: ?[AP]M)?$", re.IGNORECASE)
_PLAIN = re.compile(r"-?\d{1,14}(?:\.\d{1,4})?")
_AROUND = re.compile(r"[\s\u00a0\u202f'’]|^(?:[RCA]|US)?\$|[€£¥₹₽₩₺฿₴₫₪$]|zł$|kr\.?$", re.IGNORECASE)
_BOTH = {
    ".": re.compile(r"(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})(?:\.\d*)?|\.\d+"),
    ",": re.compile(r"(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d*)?|,\d+"),
}
_LARGEST = Decimal(10) ** 14
_FINEST = Decimal("0.0001")


class BadValue(ValueError):
    """One line: what was expected of the cell."""


class AmbiguousDates(ValueError):
    """More than one format reads the dates, and they disagree."""


def date_format(samples: Iterable[str]) -> str:
    """The format that reads the most of the sample dates; ISO 8601 when none reads any.

    Raises:
        AmbiguousDates: two formats read them equally well and differently, such as 03/04/2024.
    """
    texts = {text.strip() for text in samples if text.strip()}
    read = {form: {text: day for text in texts if (day := _try(text, form))} for form in _FORMATS}
    best = max(read.values(), key=len)
    if not best:
        return ISO
    equals = [form for form, days in read.items() if len(days) == len(best)]
    for other in equals[1:]:
        differing = next((text for text, day in read[other].items() if read[equals[0]].get(text, day) != day), None)
        if differing:
            raise AmbiguousDates(
                f"the date {differing!r} can be read as {equals[0]} or {other}: say which with --date-format"
            )
    return equals[0]


def _try(text: str, form: str) -> date | None:
    try:
        return _day(text, form)
    except ValueError:
        return None


def _day(text: str, form: str) -> date:
    if form == ISO:
        return datetime.fromisoformat(text).date()
    return datetime.strptime(_TIME_OF_DAY.sub("", text), form).date()  # noqa: DTZ007  a day has no zone


class Dates:
    """Dates of one format; each distinct text is read once."""

    def __init__(self, form: str, today: date | None = None):
        self.form = form
        self._latest = (today or datetime.now(UTC).date()) + LATEST - timedelta(days=1)
        self.read = lru_cache(maxsize=16_384)(self._read)

    def _read(self, text: str) -> date:
        """Raises BadValue."""
        try:
            day = _day(text.strip(), self.form)
        except ValueError:
            expected = "a date such as 2024-01-31" if self.form == ISO else f"a date like {self.form}"
            raise BadValue(f"expected {expected}") from None
        if not EARLIEST <= day <= self._latest:
            raise BadValue(f"expected a date from {EARLIEST} to {self._latest}")
        return day


def decimal_mark(samples: Iterable[str]) -> str:
    """``.`` or ``,``: the mark that most of the sample amounts show; ``.`` without evidence."""
    votes = {".": 0, ",": 0}
    for text in samples:
        bare = _AROUND.sub("", text)
        dot, comma = bare.rfind("."), bare.rfind(",")
        if dot >= 0 and comma >= 0:
            votes["." if dot > comma else ","] += 1
        elif dot >= 0 or comma >= 0:
            mark = "." if dot >= 0 else ","
            if bare.count(mark) == 1 and len(bare) - max(dot, comma) - 1 != 3:
                votes[mark] += 1
    return "," if votes[","] > votes["."] else "."


class Amounts:
    """Amounts with one decimal mark; each distinct text is read once."""

    def __init__(self, mark: str):
        self.mark = mark
        self.read = lru_cache(maxsize=65_536)(self._read)

    def _read(self, text: str) -> Decimal:
        """Exact, four decimals. Brackets and a minus before or after mean negative. Raises BadValue."""
        if self.mark == "." and _PLAIN.fullmatch(text):
            return Decimal(text).quantize(_FINEST)
        bare = _AROUND.sub("", text).replace("−", "-").replace("–", "-")
        negative = bare.startswith("(") and bare.endswith(")")
        bare = bare.strip("()") if negative else bare
        if bare.startswith(("-", "+")):
            negative, bare = bare[0] == "-", bare[1:]
        elif bare.endswith("-"):
            negative, bare = True, bare[:-1]
        if not bare:
            raise BadValue("expected an amount, the cell is empty" if not text.strip() else "expected an amount")
        if not _BOTH[self.mark].fullmatch(bare):
            raise BadValue(f"expected an amount such as 1234{self.mark}50")
        number = Decimal(bare.replace("," if self.mark == "." else ".", "").replace(",", "."))
        if number >= _LARGEST:
            raise BadValue("expected an amount below 100,000,000,000,000")
        if number != (exact := number.quantize(_FINEST)):
            raise BadValue("expected at most 4 decimals")
        return -exact if negative else exact
