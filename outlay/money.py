"""The one way to read and show money: a `Decimal` with an ISO 4217 code and that currency's minor units.

Amounts are never floats. The minor units come from ``seeds/currencies.csv``, which the warehouse reads too.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path

from outlay.settings import settings

LARGEST = Decimal("99999999999999.9999")
"""Of numeric(18,4), the type of every stored amount."""

_MINUS, _NO_BREAK_SPACE = "\u2212", "\u00a0"
_SPACES = re.compile(r"[\s\u00a0\u2009\u202f'\u2019_]")
_NUMBER = re.compile(r"-?(?:\d[\d.,]*|[.,]\d+)")
_COMMA_GROUPS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_POINT_GROUPS = re.compile(r"-?\d{1,3}(?:\.\d{3})+(?:,\d*)?")


class NotMoney(ValueError):
    """A text that is not one amount of the currency. The message is for the person who typed it."""


@dataclass(frozen=True)
class Currency:
    code: str
    name: str
    minor_units: int


def currency(code: str) -> Currency:
    """The currency of an ISO 4217 code.

    Raises:
        NotMoney: the code is not in ``seeds/currencies.csv``.
    """
    try:
        return currencies()[code]
    except KeyError:
        raise NotMoney(f"{code!r} is not a currency known here: use an ISO 4217 code such as EUR") from None


def currencies() -> dict[str, Currency]:
    """Every known currency by its code, in the order of the codes."""
    return _read(settings().seeds / "currencies.csv")


def parse(text: str, code: str) -> Decimal:
    """The amount that a person typed: ``12.5``, ``1,234.50``, ``1.234,50``, ``1 234,50``, ``12.50 EUR``.

    A comma or point that could be either a decimal mark or a group mark is refused rather than guessed at.

    Raises:
        NotMoney: nothing typed, not a number, more decimals than the currency has, or too large to be stored.
    """
    units = currency(code).minor_units
    bare = _SPACES.sub("", text).replace(_MINUS, "-")
    bare = re.sub(rf"^{code}|{code}$", "", bare, flags=re.IGNORECASE)
    if not bare:
        raise NotMoney("Type an amount, such as 12.50")
    if not _NUMBER.fullmatch(bare):
        raise NotMoney(f"{text.strip()!r} is not an amount: type a number, such as 12.50")
    amount = Decimal(_with_decimal_point(bare, text.strip(), code))
    if amount.as_tuple().exponent < -units:
        raise NotMoney(f"{code} has {_decimals(units)}: {text.strip()!r} has more")
    if abs(amount) > LARGEST:
        raise NotMoney(f"{text.strip()!r} is too large: the largest amount is {LARGEST:,f}")
    return amount


def show(amount: Decimal, code: str) -> str:
    """``1,234.50 EUR``: grouped, a true minus, the currency's decimals, and more only where the amount has them."""
    return f"{figure(amount, code)}{_NO_BREAK_SPACE}{code}"


def figure(amount: Decimal, code: str) -> str:
    """`show` without the currency, for columns whose heading names it."""
    units = currency(code).minor_units
    rounded = round_to_minor(amount, code)
    shown = f"{rounded:,.{units}f}" if rounded == amount else f"{amount.normalize():,f}"
    return shown.replace("-", _MINUS)


def round_to_minor(amount: Decimal, code: str) -> Decimal:
    """Half-even to the currency's minor units, as every conversion here rounds."""
    return amount.quantize(Decimal(1).scaleb(-currency(code).minor_units), rounding=ROUND_HALF_EVEN)


def _with_decimal_point(bare: str, typed: str, code: str) -> str:
    """The number with its group marks removed and a point as its decimal mark."""
    if "," in bare and "." in bare:
        if _COMMA_GROUPS.fullmatch(bare):
            return bare.replace(",", "")
        if _POINT_GROUPS.fullmatch(bare):
            return bare.replace(".", "").replace(",", ".")
        raise NotMoney(f"{typed!r} is not an amount: group thousands as in 1,234.50")
    mark = "," if "," in bare else "."
    if bare.count(mark) > 1:
        if not (_COMMA_GROUPS if mark == "," else _POINT_GROUPS).fullmatch(bare):
            raise NotMoney(f"{typed!r} is not an amount: group thousands as in 1,234.50")
        return bare.replace(mark, "")
    units = currency(code).minor_units
    whole, _, decimals = bare.partition(mark)
    digits = whole.lstrip("-")
    if len(decimals) == 3 and 1 <= len(digits) <= 3 and digits != "0":
        if mark == "," and units != 3:
            return whole + decimals
        if mark == ",":
            raise NotMoney(f"{typed!r} could be {whole}{decimals} or {whole}.{decimals}: type one of these")
        if units != 3:
            raise NotMoney(f"{code} has {_decimals(units)}, {typed!r} has 3; to group thousands, leave the point out")
    return bare.replace(",", ".")


def _decimals(units: int) -> str:
    return {0: "no decimals", 1: "1 decimal"}.get(units, f"{units} decimals")


@cache
def _read(path: Path) -> dict[str, Currency]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [Currency(row["currency"], row["name"], int(row["minor_units"])) for row in csv.DictReader(file)]
    return {row.code: row for row in sorted(rows, key=lambda row: row.code)}
