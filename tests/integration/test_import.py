"""`outlay import` against real servers: each row once, whatever happens on the way."""

from __future__ import annotations

import csv
import gzip
import json
import random
import signal
import uuid
from decimal import Decimal
from pathlib import Path

import pytest

from outlay.db import session
from tests.support import outlay, outlay_json, shared_data, start_outlay, until

pytestmark = [pytest.mark.integration, pytest.mark.small]
MAPPING = ("--map", "date=date,merchant=merchant,amount=amount_cad,category=category", "--currency", "CAD")


@pytest.fixture
def workspace() -> str:
    return f"Import {uuid.uuid4()}"


def held(workspace: str) -> tuple[int, Decimal]:
    """Current transactions of the workspace in live, and their sum."""
    with session("projector") as connection:
        return connection.execute(
            "SELECT count(*), coalesce(sum(amount), 0) FROM live.transactions t JOIN live.workspaces w "
            "USING (workspace_id) WHERE w.name = %s",
            (workspace,),
        ).fetchone()


def city_rows(count: int) -> tuple[list[str], list[list[str]]]:
    with gzip.open(shared_data("transactions/toronto_pcard_2010_2017.csv.gz"), "rt", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        return header, [row for row, _ in zip(reader, range(count), strict=False)]


def write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_a_file_again_in_another_order_or_half_and_then_whole_adds_nothing_twice(stack, tmp_path, workspace):
    header, rows = city_rows(4_000)
    total = sum(Decimal(row[header.index("amount_cad")]) for row in rows)
    into = ("--workspace", workspace, *MAPPING)
    half = outlay_json("import", str(write(tmp_path / "half.csv", header, rows[:2_000])), *into)
    assert (half["inserted"], half["already_there"]) == (2_000, 0)
    whole = outlay_json("import", str(write(tmp_path / "whole.csv", header, rows)), *into)
    assert (whole["inserted"], whole["already_there"]) == (2_000, 2_000)
    assert held(workspace) == (4_000, total)
    assert Decimal(whole["totals"]["CAD"]) == total
    random.Random(1).shuffle(rows)  # noqa: S311
    again = outlay_json("import", str(write(tmp_path / "other name.csv", header, rows)), *into)
    assert (again["inserted"], again["already_there"]) == (0, 4_000)
    assert held(workspace) == (4_000, total)


def test_the_files_categories_become_ours_or_the_workspaces_own(stack, tmp_path, workspace):
    path = tmp_path / "categories.csv"
    path.write_text("date,merchant,amount,category\n2026-01-02,A,1,Groceries\n2026-01-02,B,2,Membership/Charity\n")
    outlay_json("import", str(path), "--workspace", workspace, "--currency", "CAD")
    with session("projector") as connection:
        rows = connection.execute(
            "SELECT t.description, t.category_source, coalesce(e.state -> 'category' ->> 'name', t.category_id) "
            "FROM live.transactions t JOIN live.workspaces w USING (workspace_id) LEFT JOIN live.entities e "
            "ON e.workspace_id = t.workspace_id AND e.entity = 'category' AND e.entity_id::text = t.category_id "
            "WHERE w.name = %s ORDER BY 1",
            (workspace,),
        ).fetchall()
    assert rows == [("A", "import", "food.groceries"), ("B", "import", "Membership/Charity")]


def test_bad_rows_are_all_reported_at_once_and_nothing_is_stored(stack, tmp_path, workspace):
    path = tmp_path / "bad.csv"
    path.write_text(
        "date,merchant,amount\n2026-01-02,Bakery,3.20\n2026-13-02,Kiosk,1.00\n2026-01-03,Kiosk,1.0.0\n,Kiosk,1.00\n"
    )
    said = outlay("import", str(path), "--workspace", workspace, "--currency", "EUR", "--json")
    assert said.returncode == 1
    problems = [(p["line"], p["column"], p["value"]) for p in json.loads(said.stdout)["problems"]]
    assert problems == [(3, "date", "2026-13-02"), (4, "amount", "1.0.0"), (5, "date", "")]
    assert held(workspace) == (0, 0)


def test_skipped_rows_are_kept_and_counted(stack, tmp_path, workspace):
    path = tmp_path / "some bad.csv"
    path.write_text("date,merchant,amount\n2026-01-02,Good,1\n2026-01-02,Bad,x\n")
    command = ("import", str(path), "--workspace", workspace, "--currency", "EUR")
    refused = outlay(*command, "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["inserted"] == 0
    assert held(workspace) == (0, 0)
    said = outlay_json(*command, "--skip-bad")
    assert (said["rows"], said["inserted"], said["refused"]) == (2, 1, 1)
    assert held(workspace) == (1, Decimal(1))
    assert "2026-01-02,Bad,x" in Path(said["refused_file"]).read_text()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_import_that_was_interrupted_is_completed_by_running_it_again(stack, tmp_path, workspace, ending):
    header, rows = city_rows(40_000)
    path = write(tmp_path / "long.csv", header, rows)
    command = ("import", str(path), "--workspace", workspace, *MAPPING)
    running = start_outlay(*command, "--json")
    until(lambda: held(workspace)[0] > 0, what="the import has stored something")
    running.send_signal(ending)
    _, err = running.communicate(timeout=60)
    assert running.returncode == (-ending if ending == signal.SIGKILL else 130), err
    assert ending == signal.SIGKILL or "run the same command again" in err
    said = outlay_json(*command)
    assert said["inserted"] + said["already_there"] == 40_000
    assert said["already_there"] > 0
    assert held(workspace) == (40_000, sum(Decimal(row[header.index("amount_cad")]) for row in rows))
