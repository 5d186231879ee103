"""`outlay up` goes on with a home that the first release left, and nothing of it is lost.

`first_release.tar.xz` holds such a home, stopped: migrations 0001 to 0003, a household's three months built to gold,
and after that build another household's month, two events that break a rule and two messages that nobody can read. The
passwords are of that home alone. Beside it stands what its tables held, one JSON object a row.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from outlay.stack.account import ACCOUNT, ensure_account
from tests.homes import Home

pytestmark = [pytest.mark.integration, pytest.mark.apart, pytest.mark.timeout(900)]

KEPT = Path(__file__).parents[1] / "vectors" / "first_release.tar.xz"
TABLES = (
    "live.transactions",
    "live.transaction_lines",
    "live.entities",
    "live.events",
    "live.dead_letters",
    "bronze.files",
    "silver.transaction_events",
    "silver.quarantine",
    "gold.fct_transactions",
)


@pytest.fixture(scope="module")
def left(tmp_path_factory) -> Iterator[Home]:
    """The home as it was left; every server that the test starts in it is stopped."""
    folder = tmp_path_factory.mktemp("first")
    with tarfile.open(KEPT) as kept:
        kept.extractall(folder, filter="tar")
    home = Home(folder / "first_release" / "home")
    if os.geteuid() == 0:
        ensure_account()
        data = home.folder / "postgres"
        for path in (data, *data.rglob("*")):
            shutil.chown(path, ACCOUNT, ACCOUNT)
    try:
        yield home
    finally:
        home.outlay("down")


def test_a_home_of_the_first_release_is_upgraded_and_loses_nothing(left):
    started = left.outlay("up", seconds=600)
    assert started.returncode == 0, started.stdout + started.stderr
    assert re.search(
        r"^postgres +ready .*  its tables were upgraded from revision 0003 to \d{4}$", started.stdout, re.M
    )
    assert_all_there(left)

    built = left.outlay("build", seconds=600)
    assert built.returncode == 0, built.stdout + built.stderr
    assert_all_there(left)
    told = json.loads(left.outlay("status", "--json").stdout)
    spent = {"EUR": "-1743.24"}
    seen = {"transactions": 705, "totals": spent | {"XXQ": "15.54"}}
    known = {"transactions": 703, "totals": spent}
    assert told["layers"] == {"live": seen, "bronze": seen, "silver": known, "gold": known}
    assert (
        rows(left, "SELECT rule, row ->> 'amount' AS amount FROM silver.quarantine")
        == [{"rule": "currency_known", "amount": "7.7700"}] * 2
    )

    replayed = left.outlay("replay", "--json", seconds=600)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert all(table["equal"] for table in json.loads(replayed.stdout)["tables"])


def assert_all_there(home: Home) -> None:
    """Each row of then is there, with the same value in each of its columns."""
    for table in TABLES:
        kept = (home.folder.parent / "held" / f"{table}.jsonl").read_text().splitlines()
        then = [json.loads(line, parse_float=Decimal) for line in kept]
        now = rows(home, sql.SQL("SELECT * FROM {}").format(sql.Identifier(*table.split("."))))
        assert then[0].keys() <= now[0].keys(), table
        wanted = {of(row, then[0]) for row in then}
        assert len(wanted) == len(then)
        assert wanted - {of(row, then[0]) for row in now} == set(), table


def of(row: dict[str, Any], columns: Iterable[str]) -> str:
    """These columns of a row; of an event's fields (`state`) those that are not null, as null ones are not kept."""
    named = {name: row[name] for name in columns}
    if "state" in named and isinstance(named["state"], dict):
        named["state"] = {name: value for name, value in named["state"].items() if value is not None}
    return json.dumps(named, default=str, sort_keys=True)


def rows(home: Home, query: str | sql.Composable) -> list[dict[str, Any]]:
    with psycopg.connect(home.settings.dsn("owner")) as connection:
        as_json = sql.SQL("SELECT to_jsonb(found)::text FROM ({}) AS found").format(
            sql.SQL(query) if isinstance(query, str) else query
        )
        return [json.loads(row, parse_float=Decimal) for (row,) in connection.execute(as_json)]
