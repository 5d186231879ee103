"""Amounts are read as people write them, refused rather than guessed at, and shown to the last decimal they have."""

from decimal import Decimal

import pytest

from outlay import money


@pytest.mark.parametrize(
    ("typed", "code", "amount"),
    [
        ("12.5", "EUR", "12.5"),
        ("12,50", "EUR", "12.50"),
        ("  1 234,50 ", "EUR", "1234.50"),
        ("1,234.50", "CAD", "1234.50"),
        ("1.234,50", "CAD", "1234.50"),
        ("1'234.50", "CHF", "1234.50"),
        ("1,234", "CAD", "1234"),
        ("1,234,567", "CAD", "1234567"),
        ("12.50 eur", "EUR", "12.50"),
        ("EUR 12.50", "EUR", "12.50"),
        (".5", "EUR", "0.5"),
        ("0.05", "EUR", "0.05"),
        ("\u221212.00", "EUR", "-12.00"),
        ("1500", "JPY", "1500"),
        ("1.234", "KWD", "1.234"),
        ("99999999999999.99", "EUR", "99999999999999.99"),
    ],
)
def test_an_amount_is_read_as_people_write_it(typed, code, amount):
    assert money.parse(typed, code) == Decimal(amount)


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        ("", "EUR", "Type an amount"),
        ("   ", "EUR", "Type an amount"),
        ("coffee", "EUR", "not an amount"),
        ("12.50.1", "EUR", "group thousands"),
        ("12,34.567,8", "EUR", "group thousands"),
        ("1.234", "EUR", "EUR has 2 decimals"),
        ("1,234", "KWD", "1234 or 1.234"),
        ("12.3456", "EUR", "EUR has 2 decimals"),
        ("12.5", "JPY", "JPY has no decimals"),
        ("12.50 USD", "EUR", "not an amount"),
        ("1e9", "EUR", "not an amount"),
        ("NaN", "EUR", "not an amount"),
        ("100000000000000", "EUR", "too large"),
        ("12.50", "XYZ", "'XYZ' is not a currency"),
    ],
)
def test_what_is_not_one_amount_is_refused_with_the_reason(typed, code, says):
    with pytest.raises(money.NotMoney, match=says):
        money.parse(typed, code)


@pytest.mark.parametrize(
    ("amount", "code", "shown"),
    [
        ("1234.5", "EUR", "1,234.50 EUR"),
        ("1234.5000", "EUR", "1,234.50 EUR"),
        ("-0.05", "CAD", "\u22120.05 CAD"),
        ("1500.0000", "JPY", "1,500 JPY"),
        ("1.5", "KWD", "1.500 KWD"),
        ("0.1234", "EUR", "0.1234 EUR"),
        ("99999999999999.9999", "EUR", "99,999,999,999,999.9999 EUR"),
        ("0", "EUR", "0.00 EUR"),
        ("1E+3", "JPY", "1,000 JPY"),
    ],
)
def test_an_amount_is_shown_with_its_currencys_decimals_and_none_is_lost(amount, code, shown):
    assert money.show(Decimal(amount), code).replace("\u00a0", " ") == shown


def test_rounding_is_half_even_to_the_minor_units():
    assert money.round_to_minor(Decimal("0.125"), "EUR") == Decimal("0.12")
    assert money.round_to_minor(Decimal("0.135"), "EUR") == Decimal("0.14")
    assert money.round_to_minor(Decimal("2.5"), "JPY") == Decimal("2")
