"""The bank's reference rates: what is read from its files, and what is refused with which words."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sources import ecb
from ingestion.sources.ecb import Rate, UnreadableRates, parse, zipped
from outlay.cli import cli
from outlay.cli.rates import _figure
from tests.support import PROJECT

HISTORY = """Date,USD,JPY,ISK,
2026-10-30,1.1172,175.68,N/A,
2026-10-29,1.1130,175.92,,
"""
DAILY = "Date, USD, JPY, ISK, \n30 October 2026, 1.1172, 175.68, 140.30, \n"
QUOTED = [
    Rate(date(2026, 10, 30), "USD", Decimal("1.1172")),
    Rate(date(2026, 10, 30), "JPY", Decimal("175.68")),
    Rate(date(2026, 10, 29), "USD", Decimal("1.1130")),
    Rate(date(2026, 10, 29), "JPY", Decimal("175.92")),
]


def read(content: str | bytes) -> list[Rate]:
    return parse(content if isinstance(content, bytes) else content.encode(), "rates.csv")


def refused(content: str | bytes) -> str:
    """The one line that says why."""
    with pytest.raises(UnreadableRates) as caught:
        read(content)
    said = str(caught.value)
    assert said.startswith("rates.csv")
    assert "\n" not in said
    return said


def packed(*files: str | bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for number, content in enumerate(files):
            archive.writestr(f"file{number}.csv", content)
    return into.getvalue()


def test_the_history_is_read_without_what_is_not_quoted():
    assert read(HISTORY) == QUOTED


def test_the_daily_file_is_read_with_its_blanks_and_its_written_date():
    day = date(2026, 10, 30)
    assert read(DAILY) == [*QUOTED[:2], Rate(day, "ISK", Decimal("140.30"))]
    assert read(DAILY.replace("30 October 2026", "02 March 2026"))[0].rate_on == date(2026, 3, 2)
    assert read(DAILY.replace("30 October 2026", "2 March 2026"))[0].rate_on == date(2026, 3, 2)


@pytest.mark.parametrize(
    "content",
    [
        HISTORY.replace(",\n", "\n"),
        HISTORY.replace("ISK,\n", "ISK\n"),
        HISTORY.replace("\n", "\r\n"),
        HISTORY.removesuffix("\n"),
        HISTORY + "\n,,,,\n",
        "\ufeff" + HISTORY,
        '"Date","USD","JPY","ISK",\n' + HISTORY.partition("\n")[2],
    ],
    ids=["no commas at the end", "none in the header", "CRLF", "no end of line", "blank lines", "BOM", "quotes"],
)
def test_the_same_file_written_in_another_way_says_the_same(content):
    assert read(content) == QUOTED


def test_a_zip_is_known_by_its_bytes_and_the_one_file_in_it_is_read():
    assert read(packed(HISTORY)) == QUOTED
    assert read(packed(HISTORY, method=zipfile.ZIP_STORED)) == QUOTED
    assert zipped(packed(HISTORY))
    assert zipped(packed())
    assert not zipped(HISTORY.encode())


def test_a_zip_without_exactly_one_file_is_refused():
    assert "expected a zip with one file in it, got 0 files" in refused(packed())
    assert "got 2 files: unpack it, and load the right one" in refused(packed(HISTORY, DAILY))


def test_a_damaged_zip_is_refused():
    whole = packed(HISTORY)
    assert "one that is damaged" in refused(whole[: len(whole) // 2])
    middle = len("file0.csv") + 40
    assert "get the file again" in refused(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])


def test_a_zip_by_another_method_is_refused_before_it_is_unpacked():
    assert "packed by deflate" in refused(packed(HISTORY, method=zipfile.ZIP_BZIP2))


def test_what_is_too_large_is_refused_plain_or_unpacked_whatever_the_zip_says_of_its_size(monkeypatch):
    monkeypatch.setattr(ecb, "LARGEST", 1 << 20)
    much = HISTORY + "\n" * (1 << 20)
    assert "expected at most 1 MB, got more" in refused(much)
    bomb = packed(much)
    assert len(bomb) < 10_000
    assert "expected at most 1 MB, got more" in refused(bomb)
    size = len(much).to_bytes(4, "little")
    assert bomb.count(size) == 2
    lying = bomb.replace(size, (100).to_bytes(4, "little"))
    assert "get the file again" in refused(lying)  # read no further than it says, where its checksum is wrong


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "foo,bar\n1,2\n", "date,USD\n2026-10-30,1\n", "Date;USD\n2026-10-30;1\n", "Date\n", "<xml/>"],
)
def test_what_is_not_the_banks_file_is_refused_by_its_header(content):
    said = refused(content)
    assert "expected the header Date,USD,JPY,... of the European Central Bank's reference rates, got" in said
    assert "load its history file or its daily file, plain or as .zip" in said


def test_a_header_is_told_by_its_line():
    assert "rates.csv, line 3: expected the header" in refused("\n\nfoo\n")


@pytest.mark.parametrize("code", ["usd", "US", "USDX", "U1D", "ÄÖÜ", "", "US$"])
def test_a_column_that_is_no_code_of_three_capital_letters_is_refused(code):
    said = refused(f"Date,JPY,{code},GBP\n2026-10-30,1,2,3\n")
    assert f"line 1: expected a currency as three capital letters, such as USD, got {code!r}" in said


def test_the_euro_as_a_column_is_refused():
    said = refused("Date,USD,EUR\n2026-10-30,1.1,1\n")
    assert "the euro, which is 1 by definition, got 'EUR': remove this column" in said


def test_a_currency_in_two_columns_is_refused():
    assert "expected each currency in one column, got 'USD'" in refused("Date,USD,JPY,USD\n2026-10-30,1,2,3\n")


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-13-01",
        "20261030",
        "2026-W44-5",
        "30.10.2026",
        "31 June 2026",
        "30 Oktober 2026",
        "30 october 2026",
        "0 March 2026",
        "٣٠ October 2026",
        "",
    ],
)
def test_a_bad_date_is_refused_with_its_line(text):
    said = refused(f"Date,USD\n2026-10-30,1.1\n{text},1.2\n")
    assert f"line 3: expected a date such as 2026-10-30 or 30 October 2026, got {text!r}" in said


@pytest.mark.parametrize("text", ["0", "0.000", "-1.1", "+1.1", "1_000", "1 000", "1.", ".5", "1.1.1", "n/a", "-", "٣"])
def test_a_value_that_is_no_positive_decimal_number_is_refused_with_line_and_currency(text):
    said = refused(f"Date,JPY,USD\n2026-10-30,175,1.1\n2026-10-29,175,{text}\n")
    expected = "line 3: expected of USD a positive decimal number such as 1.1172, N/A or nothing"
    assert f"{expected}, got {text!r}: correct it" in said


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "inf", "1e3", "1E-3", "0x10"])
def test_a_text_that_only_programs_take_for_a_number_is_refused(text):
    assert f"a positive decimal number such as 1.1172, N/A or nothing, got {text!r}" in refused(
        f"Date,USD\n2026-10-30,{text}\n"
    )


@pytest.mark.parametrize("text", ["1234567890123", "1.0000000000001", "9" * 500, "0." + "0" * 12 + "1"])
def test_a_value_that_does_not_fit_the_column_is_refused_and_never_rounded(text):
    assert "line 2: expected of USD at most 12 digits before and 12 after the decimal point" in refused(
        f"Date,USD\n2026-10-30,{text}\n"
    )


@pytest.mark.parametrize("text", ["999999999999.999999999999", "0.000000000001", "001.50", "1.5000000000000000"])
def test_a_value_that_fits_is_exact(text):
    assert read(f"Date,USD\n2026-10-30,{text}\n") == [Rate(date(2026, 10, 30), "USD", Decimal(text))]


def test_a_long_value_is_cut_in_the_message():
    assert len(refused(f"Date,USD\n2026-10-30,{'x' * 9_000}\n")) < 300


def test_a_day_that_comes_twice_with_other_values_is_refused_with_both_lines():
    said = refused("Date,USD\n2026-10-30,1.1\n2026-10-29,1.2\n30 October 2026,1.3\n")
    assert "line 4: expected each day once, got 2026-10-30 with other values than in line 2" in said
    assert "expected each day once" in refused("Date,USD,JPY\n2026-10-30,1.1,N/A\n2026-10-30,1.1,175\n")


def test_a_day_that_comes_twice_with_the_same_values_counts_once():
    assert len(read("Date,USD\n2026-10-30,1.1\n2026-10-30,1.10\n")) == 1


@pytest.mark.parametrize("content", ["Date,USD\n", "Date,USD\n2026-10-30,N/A\n2026-10-29,\n"])
def test_a_file_without_a_rate_is_refused(content):
    assert "expected at least one rate, got none" in refused(content)


def test_a_file_that_was_torn_within_a_line_is_refused():
    lines = HISTORY.rstrip("\n").split(",")
    for cells in (1, 2, 3):
        assert "line 3: expected 5 cells, got" in refused(",".join(lines[:-cells]))
    assert "line 2: expected 3 cells, got 2" in refused("Date,USD,JPY\n2026-10-30,1.1\n")


def test_a_line_with_more_rates_than_currencies_is_refused():
    assert "line 2: expected 2 cells, got 3" in refused("Date,USD\n2026-10-30,1.1,175\n")


def test_text_that_is_not_utf_8_is_refused_with_its_line():
    said = refused(b"Date,USD\n2026-10-30,1.1\n2026-10-29,1\xa02\n")
    assert "line 3: expected text in UTF-8, got the byte 0xa0" in said
    assert "line 1: expected text in UTF-8" in refused(HISTORY.encode("utf-16"))


def test_a_cell_without_end_is_refused():
    assert "line 2: expected cells between commas" in refused('Date,USD\n"' + "x" * 200_000)


@given(st.binary(max_size=200) | st.text(alphabet="Date,USDEUR0123456789./A- \n\r\"'", max_size=200).map(str.encode))
def test_whatever_comes_is_read_or_refused(content):
    for start in (b"", b"Date,USD,JPY\n", b"PK\x03\x04"):
        try:
            rates = read(start + content)
        except UnreadableRates:
            continue
        assert rates
        assert len({(rate.currency, rate.rate_on) for rate in rates}) == len(rates)
        assert all(rate.per_eur > 0 for rate in rates)


@given(
    st.dictionaries(
        st.dates(),
        st.tuples(*[st.none() | st.decimals("0.000000000001", "999999999999", places=12)] * 2),
        min_size=1,
        max_size=9,
    )
)
def test_what_is_written_is_what_is_read(days):
    cells = {day: ["N/A" if value is None else f"{value:f}" for value in values] for day, values in days.items()}
    written = "Date,USD,JPY,CHF\n" + "".join(f"{day},{','.join(values)},1\n" for day, values in cells.items())
    expected = {(day, code): v for day, values in days.items() for code, v in zip(("USD", "JPY"), values, strict=True)}
    found = {(rate.rate_on, rate.currency): rate.per_eur for rate in read(written) if rate.currency != "CHF"}
    assert found == {key: value for key, value in expected.items() if value is not None}


def test_the_files_that_come_with_outlay_are_read():
    for path in (PROJECT / "seeds" / "fx_rates").iterdir():
        rates = parse(path.read_bytes(), path.name)
        assert {"USD", "GBP", "JPY", "CAD"} <= {rate.currency for rate in rates}
        assert min(rate.rate_on for rate in rates) == date(2010, 1, 4)


def test_a_file_that_is_missing_or_of_another_kind_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTLAY_HOME", str(tmp_path))
    for file in (tmp_path / "missing.csv", tmp_path):
        said = CliRunner().invoke(cli, ["rates", "load", str(file)])
        assert said.exit_code == 1
        assert said.stderr.startswith(f"outlay: {file} cannot be read: ")
        assert said.stderr.count("\n") == 1


def test_a_day_without_a_currency_is_refused():
    said = CliRunner().invoke(cli, ["rates", "show", "--on", "2026-10-30"])
    assert said.exit_code == 2
    assert "--on goes with a CURRENCY" in said.stderr


@pytest.mark.parametrize(
    ("held", "shown"), [("1.117200000000", "1.1172"), ("175.000000000000", "175"), ("16000.000000000000", "16000")]
)
def test_a_rate_is_shown_as_the_bank_writes_it(held, shown):
    assert _figure(Decimal(held)) == shown
