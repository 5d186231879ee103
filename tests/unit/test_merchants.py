"""`outlay merchants report`: what the tables in seeds/ make of purchases, and the figures of docs/merchants.md."""

from __future__ import annotations

import json
import re

import pytest

from tests.support import PROJECT, outlay, outlay_json, shared_data

FILES = {
    "Toronto": ("transactions/toronto_pcard_2010_2017.csv.gz", "amount=amount_cad", "CAD"),
    "Birmingham": ("transactions/birmingham_pcard_2014_2018.csv.gz", "amount=amount_gbp", "GBP"),
}


def told() -> dict[str, list[str]]:
    """City -> its column of the table in the docs."""
    table = re.findall(r"^\|[^|]*\| ([^|]+) \| ([^|]+) \|$", (PROJECT / "docs/merchants.md").read_text(), re.M)
    names, *rows = table
    return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def column(found: dict) -> list[str]:
    rows = found["rows"]

    def share(count: int) -> str:
        return f"{count / rows:.1%}"

    return [
        f"{rows:,}",
        f"{found['texts']:,}",
        f"{found['merchants']:,}",
        share(found["rows_of_unmatched_merchants"]),
        *(share(found["categories"].get(source, 0)) for source in ("rule", "mcc", "unknown")),
        f"{found['refused']:,}",
    ]


@pytest.mark.parametrize("city", FILES)
def test_the_figures_of_the_docs_are_what_the_command_says(city):
    name, mapping, currency = FILES[city]
    found = outlay_json(
        "merchants", "report", str(shared_data(name)), "--map", mapping, "--currency", currency, "--ignore-categories"
    )
    assert told()[city] == column(found)


@pytest.fixture
def file(tmp_path) -> str:
    path = tmp_path / "cards.csv"
    path.write_text(
        "date,merchant,amount,mcc,category\n"
        "2026-05-01,WAL-MART #3159,10.00,5411,\n"
        "2026-05-02,walmart 1150,11.00,5411,Groceries\n"
        "2026-05-03,KOTYCK BROS LIMITED,12.00,5200,\n"
        "2026-05-04,KOTYCK BROS 12345,13.00,,\n"
        "2026-05-05,SOMEBODY,14.00,,\n"
        "2026-05-06,SOMEBODY,a lot,,\n"
    )
    return str(path)


def test_a_report_counts_names_sources_and_what_the_tables_lack(file):
    found = outlay_json("merchants", "report", file, "--currency", "CAD", "--top", "1")
    assert found == {
        "rows": 5,
        "refused": 1,
        "texts": 5,
        "merchants": 3,
        "rows_of_unmatched_merchants": 3,
        "categories": {"unknown": 2, "rule": 1, "import": 1, "mcc": 1},
        "unmatched": [{"merchant": "Kotyck Bros", "rows": 2, "example": "KOTYCK BROS LIMITED"}],
    }
    ignored = outlay_json("merchants", "report", file, "--currency", "CAD", "--ignore-categories")["categories"]
    assert ignored == {"rule": 2, "unknown": 2, "mcc": 1}


def test_people_read_the_same_and_what_to_do_without_rows(file, tmp_path):
    said = outlay("merchants", "report", file, "--currency", "CAD").stdout
    assert "1 rows cannot be used and are left out: `outlay import --dry-run` says why" in said
    assert "5 rows, 5 descriptors, 3 merchants" in said
    assert "60.0% of the rows are of a merchant that seeds/merchants.csv does not have" in said
    assert "Kotyck Bros" in said
    empty = tmp_path / "empty.csv"
    empty.write_text("date,merchant,amount\nnever,Nobody,1\n")
    assert "outlay import --dry-run" in outlay("merchants", "report", str(empty), "--currency", "CAD").stdout
    assert json.loads(outlay("merchants", "report", str(empty), "--currency", "CAD", "--json").stdout)["rows"] == 0
