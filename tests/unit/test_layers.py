"""Totals of layers are written as people write money."""

from decimal import Decimal

import pytest

from outlay.ledger.layers import plain


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("69719688.0400", "69719688.04"),
        ("5", "5.00"),
        ("0.0001", "0.0001"),
        ("-12.5000", "-12.50"),
        ("1E+3", "1000.00"),
        ("0", "0.00"),
    ],
)
def test_two_decimals_or_as_many_as_there_are(amount, written):
    assert plain(Decimal(amount)) == written
