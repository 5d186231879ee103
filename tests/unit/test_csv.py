"""Delimited files: what is recognised, what is refused, and with which line."""

from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ingestion.sources.delimited import Bad, DelimitedFile, Record, Refused, UnknownColumns, UnreadableFile
from ingestion.sources.delimited.values import AmbiguousDates, Amounts, BadValue, Dates, date_format, decimal_mark
from outlay import money


def open_csv(path: Path, content: str | bytes, **options) -> DelimitedFile:
    path = path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return DelimitedFile(path, **{"currency": "EUR", "currencies": money.currencies(), **options})


def records(file: DelimitedFile) -> list[Record]:
    rows = list(file.rows())
    assert [row for row in rows if isinstance(row, Refused)] == []
    return rows


def faults(file: DelimitedFile) -> list[Bad]:
    return [bad for row in file.rows() if isinstance(row, Refused) for bad in row.problems]


def test_columns_are_recognised_by_name_in_several_languages(tmp_path):
    german = "Buchungstag;Empfänger;Verwendungszweck;Betrag;Währung\n31.01.2026;REWE;Danke;1.234,50;EUR\n"
    row = records(open_csv(tmp_path, german))[0]
    assert row.occurred_on == date(2026, 1, 31)
    assert row.amount == Decimal("1234.50")
    assert (row.merchant, row.description) == ("REWE", "Danke")
    french = "Date opération;Libellé;Montant\n15/01/2026;CARREFOUR;12,00\n"
    row = records(open_csv(tmp_path, french))[0]
    assert (row.occurred_on, row.merchant, row.amount) == (date(2026, 1, 15), "CARREFOUR", Decimal(12))


def test_told_columns_come_first_and_columns_may_be_told_by_place(tmp_path):
    content = "date,when,paid,amount\n2020-01-01,2026-01-02,5.00,9.00\n"
    row = records(open_csv(tmp_path, content, told={"date": "when", "amount": "paid"}))[0]
    assert (row.occurred_on, row.amount) == (date(2026, 1, 2), Decimal(5))
    bare = "2026-01-02,Bakery,3.20\n2026-01-03,Kiosk,1.10\n"
    rows = records(open_csv(tmp_path, bare, told={"date": "1", "merchant": "2", "amount": "3"}))
    assert [(row.line, row.merchant) for row in rows] == [(1, "Bakery"), (2, "Kiosk")]


def test_a_bank_s_preamble_above_the_header_is_passed_over(tmp_path):
    content = "Account;DE00\nPeriod;January\n\nBuchungstag;Empfänger;Betrag\n02.01.2026;REWE;1,00\n"
    assert [(row.line, row.merchant) for row in records(open_csv(tmp_path, content))] == [(5, "REWE")]


def test_debit_and_credit_columns_are_one_amount(tmp_path):
    content = "date,description,debit,credit\n2026-01-02,Shop,12.00,\n2026-01-03,Back,,5.00\n"
    assert [row.amount for row in records(open_csv(tmp_path, content))] == [Decimal(12), Decimal(-5)]


def test_a_file_that_writes_spending_with_a_minus(tmp_path):
    content = "date,description,amount\n2026-01-02,Shop,-12.00\n2026-01-03,Back,5.00\n"
    rows = records(open_csv(tmp_path, content, spending_negative=True))
    assert [row.amount for row in rows] == [Decimal(12), Decimal(-5)]


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", None)]
)
def test_encodings(tmp_path, encoding, name):
    content = "date;merchant;amount\n" + "2026-01-02;Bäckerei Müller & Söhne, Köln;3,20\n" * 20
    file = open_csv(tmp_path, content.encode(encoding))
    assert records(file)[0].merchant == "Bäckerei Müller & Söhne, Köln"
    assert name is None or file.dialect.encoding == name


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path, delimiter):
    content = delimiter.join(("date", "merchant", "amount")) + "\n" + delimiter.join(("2026-01-02", "Kiosk", "1.10"))
    assert records(open_csv(tmp_path, content))[0].merchant == "Kiosk"


def test_gzip_is_read_as_it_is_and_said_to_be_damaged_when_it_is(tmp_path):
    content = "date,merchant,amount\n" + "".join(f"2026-01-02,Shop {n},1.{n % 90 + 10}\n" for n in range(60_000))
    packed = gzip.compress(content.encode())
    assert len(records(open_csv(tmp_path, packed))) == 60_000
    with pytest.raises(UnreadableFile, match=r"file\.csv.*gzip data is damaged.*get the file again"):
        list(open_csv(tmp_path, packed[: len(packed) * 3 // 4]).rows())


def test_every_fault_is_told_with_line_column_value_and_reason(tmp_path):
    content = (
        "date,merchant,amount,currency,mcc\n"
        "2026-01-02,Good,1.00,EUR,5411\n"
        '2026-13-02,"Two\nlines",1.00,EUR,\n'
        "2026-01-03,Bad,1.0.0,XYZ,54111\n"
        "2026-01-04,Short\n"
        "1026-01-04,Old,1.00001,EUR,\n"
    )
    assert [(bad.line, bad.column, bad.value) for bad in faults(open_csv(tmp_path, content))] == [
        (3, "date", "2026-13-02"),
        (5, "amount", "1.0.0"),
        (5, "currency", "XYZ"),
        (5, "mcc", "54111"),
        (6, "-", "2026-01-04,Short"),
        (7, "date", "1026-01-04"),
        (7, "amount", "1.00001"),
    ]
    reasons = {bad.value: bad.reason for bad in faults(open_csv(tmp_path, content))}
    assert reasons["2026-13-02"] == "expected a date such as 2024-01-31"
    assert reasons["1.00001"] == "expected at most 4 decimals"
    assert reasons["2026-01-04,Short"] == "expected 5 cells, got 2"


def test_bytes_outside_the_encoding_and_nul_are_faults_of_their_row_alone(tmp_path):
    good = b"date,merchant,amount\n" + b"2026-01-02,Good,1.00\n" * 20_000
    rows = list(open_csv(tmp_path, good + b"2026-01-02,B\xff\xfed,1.00\n2026-01-02,Last,1.00\n").rows())
    assert [row.line for row in rows if isinstance(row, Refused)] == [20_002]
    assert rows[-1].merchant == "Last"


def test_a_sign_of_another_currency_is_refused(tmp_path):
    content = "date,merchant,amount\n2026-01-02,Shop,€5.00\n"
    assert records(open_csv(tmp_path, content))[0].amount == Decimal(5)
    (fault,) = faults(open_csv(tmp_path, content, currency="CAD"))
    assert fault.reason == "the amount is in EUR, the row in CAD"


def test_a_file_without_what_a_row_needs_says_what_to_do(tmp_path):
    with pytest.raises(UnknownColumns, match=r"found no column for the date and the amount.*--map date=COLUMN"):
        open_csv(tmp_path, "foo,bar\n1,2\n")
    with pytest.raises(UnknownColumns, match="expected a column 'Day' for date, the file has: date, amount"):
        open_csv(tmp_path, "date,amount\n2026-01-02,1\n", told={"date": "Day"})
    with pytest.raises(UnknownColumns, match="say --currency"):
        open_csv(tmp_path, "date,amount\n2026-01-02,1\n", currency=None)
    with pytest.raises(UnreadableFile, match="the file is empty"):
        open_csv(tmp_path, "")
    with pytest.raises(UnreadableFile, match="this is a binary file"):
        open_csv(tmp_path, b"PK\x03\x04\x00\x00\x00")


def test_dates_that_can_be_read_two_ways_are_asked_about(tmp_path):
    with pytest.raises(AmbiguousDates, match=r"--date-format"):
        open_csv(tmp_path, "date,amount\n03/04/2026,1\n05/06/2026,1\n")
    rows = records(open_csv(tmp_path, "date,amount\n03/04/2026,1\n", date_form="%d/%m/%Y"))
    assert rows[0].occurred_on == date(2026, 4, 3)
    assert date_format(["03/04/2026", "13/04/2026"]) == "%d/%m/%Y"
    assert date_format(["03/04/2026", "04/13/2026"]) == "%m/%d/%Y"


@pytest.mark.parametrize(
    ("text", "form", "day"),
    [
        ("2026-01-31", "ISO 8601", date(2026, 1, 31)),
        ("2026-01-31T23:30:00+02:00", "ISO 8601", date(2026, 1, 31)),
        ("31.01.26", "%d.%m.%y", date(2026, 1, 31)),
        ("31 Jan 2026", "%d %b %Y", date(2026, 1, 31)),
        ("31/01/2026 14:05", "%d/%m/%Y", date(2026, 1, 31)),
    ],
)
def test_dates(text, form, day):
    assert date_format([text]) == form
    assert Dates(form).read(text) == day


@pytest.mark.parametrize(
    ("text", "mark", "amount"),
    [
        ("1234.5", ".", "1234.5"),
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("1 234,50", ",", "1234.50"),
        ("1'234.50", ".", "1234.50"),
        ("12,34,567.00", ".", "1234567"),
        ("(12.30)", ".", "-12.30"),
        ("12.30-", ".", "-12.30"),
        ("−12.30", ".", "-12.30"),
        ("+12", ".", "12"),
        ("$1,000", ".", "1000"),
        ("-€ 5,20", ",", "-5.20"),
        ("0", ".", "0"),
        (".5", ".", "0.5"),
    ],
)
def test_amounts(text, mark, amount):
    assert Amounts(mark).read(text) == Decimal(amount)


@pytest.mark.parametrize(
    "text", ["", "abc", "1.2.3", "1,50", "1,2345.0", "--1", "1e5", "NaN", "1" * 15, "0.00001", "$"]
)
def test_amounts_that_are_none(text):
    with pytest.raises(BadValue, match="expected"):
        Amounts(".").read(text)


def test_the_decimal_mark_is_the_one_the_file_shows():
    assert decimal_mark(["1.234,50", "7,20"]) == ","
    assert decimal_mark(["1,234.50", "1,000"]) == "."
    assert decimal_mark(["1000", "1,000"]) == "."
