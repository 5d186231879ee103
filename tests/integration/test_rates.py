"""Exchange rates on a real PostgreSQL: each once, the newest counts, and nothing by halves."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from click.testing import CliRunner, Result

from ingestion import rates
from ingestion.batches import in_turn
from ingestion.landing import LakeUnavailable, store
from ingestion.rates import Held, Loaded, held, in_use, load, load_new_files
from ingestion.sources import ecb
from ingestion.sources.ecb import Rate, UnreadableRates
from outlay.cli import cli
from outlay.db import session
from outlay.settings import Settings, settings
from tests.integration.databases import fresh_database
from tests.support import PROJECT, outlay_json, until

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(120)]

THURSDAY, FRIDAY = date(2026, 10, 29), date(2026, 10, 30)
HISTORY = b"Date,USD,JPY\n2026-10-30,1.1172,175.68\n2026-10-29,1.113,175.92\n"
LONGER = HISTORY + b"2026-10-28,1.12,N/A\n"
CORRECTED = b"Date, USD, JPY, \n30 October 2026, 1.1272, 175.68, \n"
OF_HISTORY = [
    ("JPY", THURSDAY, Decimal("175.92")),
    ("JPY", FRIDAY, Decimal("175.68")),
    ("USD", THURSDAY, Decimal("1.113")),
    ("USD", FRIDAY, Decimal("1.1172")),
]


@pytest.fixture
def here(stack, tmp_path) -> Iterator[Settings]:
    """Settings of a database and a lake of the test's own, which are the process's until its end."""
    with fresh_database(stack.dsn("owner")) as dsn, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OUTLAY_DATABASE_URL", dsn)
        patch.setenv("OUTLAY_LAKE_URL", str(tmp_path / "lake"))
        settings.cache_clear()
        yield settings()
    settings.cache_clear()


@pytest.fixture
def connection(here) -> Iterator[psycopg.Connection]:
    with session("pipeline", autocommit=True) as opened:
        yield opened


@pytest.fixture
def shipped(tmp_path) -> Path:
    """A folder with a file of rates."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "history.csv").write_bytes(HISTORY)
    return folder


def packed(content: bytes) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eurofxref-hist.csv", content)
    return into.getvalue()


def rows(connection: psycopg.Connection) -> list[tuple]:
    """Every row of silver: currency, day, value; the older batch first."""
    return connection.execute(
        "SELECT currency, rate_on, per_eur FROM silver.fx_rates ORDER BY currency, rate_on, batch_id"
    ).fetchall()


def batches(connection: psycopg.Connection) -> list[tuple]:
    """Number, path, and rows read and published of each batch of rates, in order."""
    return connection.execute(
        "SELECT batch_id, path, rows_read, rows_published FROM silver.batches WHERE topic = 'fx_rates' ORDER BY 1"
    ).fetchall()


def kept(here: Settings) -> list[str]:
    """The files of rates in the lake."""
    return list(store.listing(here.lake, "fx_rates"))


def nothing_is_there(connection: psycopg.Connection) -> bool:
    return not rows(connection) and not batches(connection)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["rates", *arguments])


def failed(*arguments: str) -> str:
    """The one line that a command fails with."""
    said = run(*arguments)
    assert (said.exit_code, said.stdout) == (1, ""), said.output
    assert said.stderr.startswith("outlay: ")
    assert said.stderr.count("\n") == 1
    return said.stderr


def test_a_file_becomes_one_batch_and_is_kept_as_it_came(here, connection):
    done = load(connection, here.lake, HISTORY, "history.csv", run_id="run 7")
    assert done == Loaded(4, 2, THURSDAY, FRIDAY, new=4, changed=0, batch_id=done.batch_id)
    assert rows(connection) == OF_HISTORY
    [(batch_id, path, *counts)] = batches(connection)
    assert (batch_id, counts) == (done.batch_id, [4, 4])
    assert store.read(here.lake, path) == HISTORY
    assert path.startswith("fx_rates/")
    assert path.endswith(".csv")
    assert kept(here) == [path]
    assert connection.execute("SELECT run_id, rows_quarantined FROM silver.batches").fetchall() == [("run 7", 0)]


def test_the_same_file_again_plain_or_as_a_zip_writes_nothing(here, connection):
    load(connection, here.lake, HISTORY, "history.csv")
    before = rows(connection), batches(connection), kept(here)
    for content in (HISTORY, packed(HISTORY)):
        done = load(connection, here.lake, content, "again")
        assert (done.rates, done.new, done.changed, done.batch_id) == (4, 0, 0, None)
    assert (rows(connection), batches(connection), kept(here)) == before


def test_a_zip_is_kept_as_a_zip(here, connection):
    content = packed(HISTORY)
    load(connection, here.lake, content, "history.zip")
    assert rows(connection) == OF_HISTORY
    [path] = kept(here)
    assert path.endswith(".zip")
    assert store.read(here.lake, path) == content


def test_of_a_longer_file_only_what_is_new_is_written(here, connection):
    first = load(connection, here.lake, HISTORY, "history.csv")
    done = load(connection, here.lake, LONGER, "longer.csv")
    assert (done.rates, done.new, done.changed) == (5, 1, 0)
    assert done.batch_id > first.batch_id
    assert rows(connection) == sorted([*OF_HISTORY, ("USD", date(2026, 10, 28), Decimal("1.12"))])
    assert [published for *_, published in batches(connection)] == [4, 1]


def test_a_changed_rate_is_a_second_batch_and_the_newest_counts(here, connection):
    load(connection, here.lake, HISTORY, "history.csv")
    done = load(connection, here.lake, CORRECTED, "daily.csv")
    assert (done.rates, done.new, done.changed) == (2, 0, 1)
    assert [row for row in rows(connection) if row[:2] == ("USD", FRIDAY)] == [
        ("USD", FRIDAY, Decimal("1.1172")),
        ("USD", FRIDAY, Decimal("1.1272")),
    ]
    assert in_use(connection, "USD", FRIDAY) == Rate(FRIDAY, "USD", Decimal("1.1272"))
    assert held(connection) == [
        Held("JPY", THURSDAY, FRIDAY, Decimal("175.68")),
        Held("USD", THURSDAY, FRIDAY, Decimal("1.1272")),
    ]
    assert load(connection, here.lake, CORRECTED, "daily.csv").batch_id is None


def test_the_older_file_loaded_again_by_hand_brings_its_value_back(here, connection):
    for content in (HISTORY, CORRECTED):
        load(connection, here.lake, content, "-")
    done = load(connection, here.lake, HISTORY, "history.csv")
    assert (done.new, done.changed) == (0, 1)
    assert in_use(connection, "USD", FRIDAY) == Rate(FRIDAY, "USD", Decimal("1.1172"))


def test_a_rate_is_in_use_for_seven_days_after_its_own(here, connection):
    load(connection, here.lake, HISTORY, "history.csv")
    of_friday = Rate(FRIDAY, "USD", Decimal("1.1172"))
    assert in_use(connection, "USD", THURSDAY) == Rate(THURSDAY, "USD", Decimal("1.113"))
    assert in_use(connection, "USD", date(2026, 10, 31)) == of_friday
    assert in_use(connection, "USD", date(2026, 11, 6)) == of_friday
    assert in_use(connection, "USD", date(2026, 11, 7)) is None
    assert in_use(connection, "USD", date(2026, 10, 28)) is None
    assert in_use(connection, "GBP", FRIDAY) is None
    assert in_use(connection, "EUR", date(2030, 1, 1)) == Rate(date(2030, 1, 1), "EUR", Decimal(1))


def test_a_dry_run_tells_what_a_load_would_do_and_writes_nothing(here, connection):
    would = load(connection, here.lake, HISTORY, "history.csv", dry_run=True)
    assert would == Loaded(4, 2, THURSDAY, FRIDAY, new=4, changed=0, batch_id=None)
    assert nothing_is_there(connection)
    assert kept(here) == []


def test_a_file_that_cannot_be_read_writes_nothing(here, connection):
    with pytest.raises(UnreadableRates, match=r"broken\.csv, line 4: "):
        load(connection, here.lake, HISTORY + b"2026-10-28,x,1\n", "broken.csv")
    assert nothing_is_there(connection)
    assert kept(here) == []


def at_once(connection: psycopg.Connection, here: Settings, *loads) -> list:
    """What functions of a connection return that all come to the point of waiting for their turn before any has it."""

    def alone(bring):
        with psycopg.connect(here.dsn("pipeline"), autocommit=True) as own:
            return bring(own)

    waiting = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with ThreadPoolExecutor(len(loads)) as pool:
        with connection.transaction():
            in_turn(connection)
            running = [pool.submit(alone, bring) for bring in loads]
            until(lambda: connection.execute(waiting).fetchone() == (len(loads),), what="all loads wait", seconds=30)
        return [one.result(60) for one in running]


def test_two_loads_of_a_file_at_once_write_each_rate_once(here, connection):
    bring = lambda own: load(own, here.lake, HISTORY, "history.csv")  # noqa: E731
    done = at_once(connection, here, bring, bring)
    assert rows(connection) == OF_HISTORY
    assert sorted(one.new for one in done) == [0, 4]
    assert [one.batch_id for one in done if one.batch_id] == [batch_id for batch_id, *_ in batches(connection)]


def test_two_files_that_overlap_at_once_write_each_rate_once(here, connection):
    contents = (HISTORY, LONGER)
    done = at_once(
        connection, here, *[lambda own, c=content: load(own, here.lake, c, "history.csv") for content in contents]
    )
    assert rows(connection) == sorted([*OF_HISTORY, ("USD", date(2026, 10, 28), Decimal("1.12"))])
    assert (sum(one.new for one in done), sum(one.changed for one in done)) == (5, 0)


def test_two_builds_at_once_load_a_shipped_file_once(here, connection, shipped):
    bring = lambda own: load_new_files(own, here.lake, shipped)  # noqa: E731
    done = at_once(connection, here, bring, bring)
    assert sorted(len(one) for one in done) == [0, 1]
    assert rows(connection) == OF_HISTORY
    assert len(batches(connection)) == 1


@pytest.mark.parametrize("step", ["number", "_publish"])
def test_a_load_that_dies_after_the_file_is_kept_leaves_no_rows_and_the_next_is_whole(
    here, connection, monkeypatch, step
):
    whole = getattr(rates, step)

    def killed(*given, **named):
        whole(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rates, step, killed)
        with pytest.raises(KeyboardInterrupt):
            load(connection, here.lake, HISTORY, "history.csv")
    assert nothing_is_there(connection)
    stored = kept(here)
    assert len(stored) == 1
    assert load(connection, here.lake, HISTORY, "history.csv").new == 4
    assert rows(connection) == OF_HISTORY
    assert kept(here) == stored == [path for _, path, *_ in batches(connection)]


def test_a_session_that_is_lost_at_the_end_leaves_no_rows_and_the_next_load_is_whole(here, connection, monkeypatch):
    publish = rates._publish

    def lost(own, *given):
        publish(own, *given)
        own.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patched, psycopg.connect(here.dsn("pipeline"), autocommit=True) as own:
        patched.setattr(rates, "_publish", lost)
        with pytest.raises(psycopg.OperationalError):
            load(own, here.lake, HISTORY, "history.csv")
    assert nothing_is_there(connection)
    assert load(connection, here.lake, HISTORY, "history.csv").new == 4
    assert rows(connection) == OF_HISTORY


def test_a_lake_that_refuses_leaves_silver_as_it_was(here, connection, tmp_path):
    (tmp_path / "a file").write_text("no folder")
    with pytest.raises(LakeUnavailable):
        load(connection, str(tmp_path / "a file"), HISTORY, "history.csv")
    assert nothing_is_there(connection)


def test_a_shipped_file_is_loaded_once_and_then_not_even_parsed(here, connection, shipped, monkeypatch):
    [done] = load_new_files(connection, here.lake, shipped, run_id="run 8")
    assert (done.new, done.changed) == (4, 0)
    before = batches(connection)

    def parsed(content: bytes, name: str) -> list[Rate]:
        raise AssertionError(f"{name} was parsed")

    with monkeypatch.context() as patched:
        patched.setattr(ecb, "parse", parsed)
        assert load_new_files(connection, here.lake, shipped) == []
    assert (rows(connection), batches(connection)) == (OF_HISTORY, before)


def test_a_shipped_file_that_brings_nothing_gets_a_batch_without_rows(here, connection, shipped):
    load_new_files(connection, here.lake, shipped)
    (shipped / "the same.zip").write_bytes(packed(HISTORY))
    [done] = load_new_files(connection, here.lake, shipped)
    assert (done.new, done.changed) == (0, 0)
    assert [(batch_id, *counts) for batch_id, _, *counts in batches(connection)][1:] == [(done.batch_id, 4, 0)]
    assert load_new_files(connection, here.lake, shipped) == []
    assert rows(connection) == OF_HISTORY


def test_a_shipped_file_that_was_loaded_by_hand_is_known_and_undoes_no_correction(here, connection, shipped):
    for content in (HISTORY, CORRECTED):
        load(connection, here.lake, content, "-")
    assert load_new_files(connection, here.lake, shipped) == []
    assert in_use(connection, "USD", FRIDAY) == Rate(FRIDAY, "USD", Decimal("1.1272"))


def test_a_folder_that_is_not_there_has_no_files(here, connection, tmp_path):
    assert load_new_files(connection, here.lake, tmp_path / "nowhere") == []


def test_what_comes_with_outlay_is_loaded_whole(here, connection):
    folder = PROJECT / "seeds" / "fx_rates"
    load_new_files(connection, here.lake, folder)
    expected = {
        (rate.currency, rate.rate_on, rate.per_eur)
        for path in folder.iterdir()
        for rate in ecb.parse(path.read_bytes(), path.name)
    }
    found = rows(connection)
    assert len(found) == len(expected)
    assert set(found) == expected
    (known,) = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'silver.fx_rates'::regclass").fetchone()
    assert known == len(expected)  # the planner was told


def test_the_command_loads_a_file_and_says_what_was_new(here, connection, tmp_path):
    file = tmp_path / "eurofxref-hist.csv"
    file.write_bytes(HISTORY)
    head = "eurofxref-hist.csv: 4 rates of 2 currencies, 2026-10-29 to 2026-10-30: "
    assert run("load", str(file), "--dry-run").stdout == head + "4 new, 0 changed; nothing was stored\n"
    assert nothing_is_there(connection)
    assert run("load", str(file)).stdout == head + "4 new, 0 changed; `outlay build` brings them to gold\n"
    assert run("load", str(file)).stdout == head + "0 new, 0 changed; silver held them all\n"
    assert rows(connection) == OF_HISTORY


def test_the_command_speaks_json(here, connection, tmp_path):
    file = tmp_path / "daily.csv"
    file.write_bytes(CORRECTED)
    said = outlay_json("rates", "load", str(file))
    [(batch_id, *_)] = batches(connection)
    days = {"first_day": "2026-10-30", "last_day": "2026-10-30"}
    counts = {"rates": 2, "currencies": 2, "new": 2, "changed": 0}
    assert said == {"file": "daily.csv", "dry_run": False, **counts, **days, "batch_id": batch_id}
    usd = {"currency": "USD", "first_day": "2026-10-30", "last_day": "2026-10-30", "per_eur": "1.1272"}
    assert usd in outlay_json("rates", "show")["currencies"]
    one = {"currency": "USD", "on": "2026-11-01", "rate_on": "2026-10-30", "per_eur": "1.1272"}
    assert outlay_json("rates", "show", "USD", "--on", "2026-11-01") == one


def test_the_command_shows_what_is_held(here, connection):
    assert "no rate is held" in run("show").stdout
    load(connection, here.lake, LONGER, "longer.csv")
    assert [line.split() for line in run("show").stdout.splitlines()[1:]] == [
        ["JPY", "2026-10-29", "2026-10-30", "175.68"],
        ["USD", "2026-10-28", "2026-10-30", "1.1172"],
    ]


def test_the_command_shows_the_rate_in_use_and_of_which_day_it_is(here, connection):
    load(connection, here.lake, HISTORY, "history.csv")
    assert run("show", "USD", "--on", "2026-10-30").stdout == "2026-10-30: 1.1172 USD for one euro\n"
    late = run("show", "usd", "--on", "2026-11-06").stdout
    assert late == "2026-11-06: 1.1172 USD for one euro, the rate of 2026-10-30\n"
    assert run("show", "EUR", "--on", "2026-10-30").stdout == "2026-10-30: 1 EUR for one euro\n"
    today = datetime.now(UTC).date()
    load(connection, here.lake, f"Date,USD\n{today},1.5\n".encode(), "daily.csv")
    assert json.loads(run("show", "USD", "--json").stdout)["rate_on"] == str(today)


def test_the_command_says_that_there_is_no_rate(here, connection):
    assert "no rate is held of 'USD'; held are those of no currency" in failed("show", "USD")
    load(connection, here.lake, HISTORY, "history.csv")
    late = failed("show", "USD", "--on", "2026-11-07")
    assert "no rate is held of USD, for 2026-11-07 or the seven days before" in late
    assert "held are those from 2026-10-29 to 2026-10-30" in late
    assert "no rate is held of 'XYZ'; held are those of JPY, USD" in failed("show", "XYZ")


def test_the_command_fails_in_one_line(here, connection, tmp_path, monkeypatch):
    file = tmp_path / "history.csv"
    file.write_bytes(b"foo,bar\n")
    assert "history.csv, line 1: expected the header Date,USD,JPY,..." in failed("load", str(file))
    file.write_bytes(HISTORY)
    (tmp_path / "lake").write_text("no folder")
    assert "does not answer as expected" in failed("load", str(file))
    assert nothing_is_there(connection)
    elsewhere = urlunsplit(urlsplit(here.dsn("owner"))._replace(path="/gone"))
    with monkeypatch.context() as patched:
        patched.setenv("OUTLAY_DATABASE_URL", elsewhere)
        settings.cache_clear()
        for command in (("load", str(file)), ("show",), ("show", "USD")):
            assert "the database does not answer" in failed(*command)
    settings.cache_clear()
