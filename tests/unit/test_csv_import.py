"""The importer's promises that need no server: ids, kinds, totals, refused rows, pace."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from uuid import UUID

import pytest
from click.testing import CliRunner

from ingestion import rules
from ingestion.enrich import Enricher
from ingestion.sources.delimited import DelimitedFile
from outlay import money
from outlay.cli.importing import import_
from outlay.ledger.imports import Destination, Pace, events, import_id, survey
from outlay.ledger.queries.category_tree import Categories
from outlay.ledger.workspaces import Account, Workspace
from outlay.settings import PROJECT
from tests.support import shared_data

HOME = Workspace(UUID(int=7), "Home", "CAD", "UTC")
ACCOUNT = Account(UUID(int=8), "Imported", "CAD", "card")
ROWS = [
    "2026-01-02,Shop,1.00",
    "2026-01-02,Shop,1.0",
    "2026-01-02,Shop,1.00",
    "2026-01-03,Kiosk,-2.50",
    "2026-01-03,,0",
]


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher(PROJECT / "seeds")


def made(path, rows, enricher, name="file.csv", header="date,merchant,amount", **categories):
    path = path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    file = DelimitedFile(path, currency="CAD", currencies=money.currencies())
    return list(events(file, Destination(HOME, ACCOUNT, categories, Categories(())), enricher, UUID(int=9)))


def ids(made_events) -> set[UUID]:
    return {event["transaction_id"] for event in made_events}


def test_identical_rows_are_purchases_of_their_own(tmp_path, enricher):
    assert len(ids(made(tmp_path, ROWS, enricher))) == len(ROWS)


def test_ids_do_not_depend_on_order_name_or_how_much_of_the_file_there_is(tmp_path, enricher):
    whole = made(tmp_path, ROWS, enricher)
    shuffled = [ROWS[place] for place in (3, 0, 4, 2, 1)]
    assert ids(made(tmp_path, shuffled, enricher, name="other.csv")) == ids(whole)
    assert ids(made(tmp_path, ROWS[:2], enricher)) < ids(whole)
    assert {e["event_id"] for e in whole}.isdisjoint(ids(whole))


def test_what_an_event_says_of_a_row(tmp_path, enricher):
    shop, *_, kiosk, nothing = made(tmp_path, ROWS, enricher)
    assert (shop["kind"], kiosk["kind"], nothing["kind"]) == ("expense", "refund", "expense")
    assert kiosk["amount"] == Decimal("-2.50")
    assert (shop["source"], shop["import_id"], shop["account_id"]) == ("import", UUID(int=9), ACCOUNT.account_id)
    assert nothing["description"] is None
    assert [p for e in (shop, kiosk, nothing) for p in rules.problems(e, money.currencies())] == []


def test_the_files_category_wins_over_the_brand_and_income_and_transfers_keep_their_kind(tmp_path, enricher):
    header = "date,merchant,amount,category"
    rows = [
        "2026-01-02,NETFLIX,9.99,Fun",
        "2026-01-02,NETFLIX,9.99,",
        "2026-01-02,ACME,-900,Pay",
        "2026-01-02,Bank,5,Move",
    ]
    known = {"Fun": ("own-id", "spending"), "Pay": ("income.salary", "income"), "Move": ("transfer.own", "transfer")}
    told, brand, pay, move = made(tmp_path, rows, enricher, header=header, **known)
    assert (told["category_id"], told["category_source"], told["decided_by"]) == ("own-id", "import", None)
    assert (brand["category_id"], brand["category_source"]) == ("leisure.streaming", "rule")
    assert (told["merchant"], told["description"]) == ("Netflix", "NETFLIX")
    assert (pay["kind"], move["kind"]) == ("income", "transfer")


def test_an_import_keeps_its_id_for_the_same_bytes_and_account(tmp_path):
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text("x")
    other.write_text("x")
    assert import_id(one, "Home", "Card") == import_id(other, "Home", "Card")
    assert import_id(one, "Home", "Card") != import_id(one, "Home", "Other")


def test_refused_rows_are_kept_with_their_own_text_and_line(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text('date,merchant,amount\n2026-01-02,Good,1\nno,"A, B",x\n')
    file = DelimitedFile(path, currency="CAD", currencies=money.currencies())
    seen = survey(file, refused_to=tmp_path / "imports" / "r.refused.csv")
    assert (seen.rows, seen.refused, seen.totals) == (1, 1, {"CAD": Decimal(1)})
    with (tmp_path / "imports" / "r.refused.csv").open(newline="") as kept:
        assert list(csv.reader(kept))[1][0] == "3"
    assert '"A, B"' in (tmp_path / "imports" / "r.refused.csv").read_text()
    assert [p.name for p in (tmp_path / "imports").iterdir()] == ["r.refused.csv"]


def test_nothing_is_written_when_no_row_is_refused(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("date,merchant,amount\n2026-01-02,Good,1\n")
    survey(DelimitedFile(path, currency="CAD", currencies=money.currencies()), refused_to=tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


def test_bad_rows_are_all_reported_and_nothing_is_connected_to(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("date,merchant,amount\n2026-01-02,Good,1\nno,Bad,x\n")
    said = CliRunner().invoke(import_, [str(path), "--currency", "CAD", "--json"])
    assert said.exit_code == 1
    document = json.loads(said.stdout)
    assert (document["rows"], document["inserted"], document["refused"]) == (2, 0, 1)
    assert [(p["line"], p["column"], p["value"]) for p in document["problems"]] == [
        (3, "date", "no"),
        (3, "amount", "x"),
    ]


def test_a_dry_run_prints_the_mapping_and_the_totals(tmp_path):
    path = tmp_path / "good.csv"
    path.write_text("Day,Shop,Paid\n2026-01-02,Good,1234.5\n")
    command = [str(path), "--currency", "cad", "--map", "date=Day,merchant=Shop", "--map", "amount=Paid", "--dry-run"]
    said = CliRunner().invoke(import_, command)
    assert said.exit_code == 0, said.output
    assert "date=Day, merchant=Shop, amount=Paid" in said.output
    assert "1 rows would be imported, 0 refused" in said.output


def test_a_wrong_map_says_which_fields_there_are(tmp_path):
    path = tmp_path / "good.csv"
    path.write_text("date,amount\n2026-01-02,1\n")
    said = CliRunner().invoke(import_, [str(path), "--map", "when=date"])
    assert said.exit_code == 2
    assert "got 'when=date'" in said.output


def test_the_pace_of_each_tenth_is_taken_between_reports():
    now = iter([0.0, 1.0, 3.0, 3.0])
    pace = Pace(100, clock=lambda: next(now))
    pace.reached(50)
    pace.reached(100)
    assert pace.tenths() == [50, 50, 50, 50, 50, 25, 25, 25, 25, 25]


def test_the_citys_purchases_are_read_to_the_cent():
    path = shared_data("transactions/toronto_pcard_2010_2017.csv.gz")
    mapping = "date=date,merchant=merchant,amount=amount_cad,category=category"
    said = CliRunner().invoke(import_, [str(path), "--map", mapping, "--currency", "CAD", "--dry-run", "--json"])
    document = json.loads(said.stdout)
    assert (document["rows"], document["refused"], document["totals"]) == (308_788, 0, {"CAD": "69719688.04"})
