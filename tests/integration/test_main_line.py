"""From an expense to gold: a third of a large file of purchases, then one expense more, at the cost of what changed.

`outlay bench main-line` takes the whole file, and prints the same figures of each layer.
"""

import csv
import gzip
import itertools
import json
import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from orchestration.defs.gold.project import manifest
from outlay.db import session
from outlay.ledger.commands import Ledger, TransactionDraft
from outlay.ledger.workspaces import all_workspaces
from outlay.settings import settings
from outlay.stack.environment import last_build
from tests.support import outlay_json, shared_data, unlanded

pytestmark = [pytest.mark.integration, pytest.mark.large, pytest.mark.timeout(1200)]

TORONTO = "transactions/toronto_pcard_2010_2017.csv.gz"
MAPPING = ("--map", "date=date,merchant=merchant,amount=amount_cad,category=category", "--currency", "CAD")
LAYERS = ("live", "bronze", "silver", "gold")
GIB = 1024**3


@pytest.fixture(scope="module")
def toronto(tmp_path_factory):
    """A file of every third purchase, its rows as written, and their total."""
    with gzip.open(shared_data(TORONTO), "rt", newline="") as file:
        header, *rows = csv.reader(file)
    rows, path = rows[::3], tmp_path_factory.mktemp("toronto") / "third.csv"
    write(path, [header, *rows])
    return path, header, rows, sum(Decimal(row[header.index("amount_cad")]) for row in rows)


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def imported(stack, toronto):
    """The file imported and built to gold: layers before and after, what the import and the build said."""
    path, *_ = toronto
    if unlanded():
        outlay_json("build", timeout=900)  # what other tests have recorded is in every layer before
    before = outlay_json("status")["layers"]
    said = outlay_json("import", str(path), *MAPPING, timeout=900)
    built = outlay_json("build", timeout=900)
    status = outlay_json("status")
    return before, said, built, status


def cad(figures: dict) -> Decimal:
    return Decimal(figures["totals"].get("CAD", "0"))


def test_every_purchase_of_the_file_is_in_every_layer_and_the_totals_agree_to_the_cent(imported, toronto):
    before, said, built, status = imported
    *_, rows, total = toronto
    assert (said["inserted"], said["already_there"], said["refused"]) == (len(rows), 0, 0)
    assert built["status"] == "SUCCESS"
    for layer in LAYERS:
        after = status["layers"][layer]
        assert after["transactions"] - before[layer]["transactions"] == len(rows), layer
        assert cad(after) - cad(before[layer]) == total, layer


def test_no_server_passes_three_gib(imported):
    *_, status = imported
    heavy = {n: s["memory_bytes"] for n, s in status["services"].items() if (s.get("memory_bytes") or 0) > 3 * GIB}
    assert heavy == {}


def test_every_blocking_check_passed(imported):
    _, _, built, _ = imported
    assert [c for c in built["checks"] if not c["passed"] and c["severity"] == "error"] == []


COLUMNS = """
{ assetsOrError { ... on AssetConnection { nodes { key { path } assetMaterializations(limit: 1) { metadataEntries {
  ... on TableColumnLineageMetadataEntry { lineage { columnName columnDeps { assetKey { path } columnName } } }
} } } } } }
"""


def test_dagster_shows_what_each_column_of_a_model_is_made_of(imported):
    answer = httpx.post(f"{settings().dagster_url}/graphql", json={"query": COLUMNS}, timeout=60).json()
    lineage: dict[str, dict[str, set[str]]] = {}
    for node in answer["data"]["assetsOrError"]["nodes"]:
        entries = [e["lineage"] for m in node["assetMaterializations"] for e in m["metadataEntries"] if "lineage" in e]
        for entry in itertools.chain.from_iterable(entries):
            made_of = {"/".join([*dep["assetKey"]["path"], dep["columnName"]]) for dep in entry["columnDeps"]}
            lineage.setdefault("/".join(node["key"]["path"]), {})[entry["columnName"]] = made_of
    models = [n for n in manifest()["nodes"].values() if n["resource_type"] == "model"]
    assert {f"{m['schema']}/{m['name']}": set(m["columns"]) for m in models} == {k: set(v) for k, v in lineage.items()}
    assert lineage["gold/fct_transactions"]["amount"] == {"staging/stg_transaction_lines/amount"}
    assert lineage["gold/fct_transactions"]["workspace_currency"] == {"intermediate/int_workspaces/currency"}
    assert lineage["staging/stg_transaction_lines"]["log_offset"] == {"silver/transaction_lines/offset"}


def test_developers_of_models_compare_with_what_the_last_build_made(imported):
    kept = json.loads((last_build(settings()) / "manifest.json").read_text())
    assert kept["nodes"]["model.outlay.fct_transactions"]["relation_name"] == '"outlay"."gold"."fct_transactions"'


def test_importing_again_in_another_order_adds_nothing(imported, toronto, tmp_path):
    _, header, rows, _ = toronto
    mixed = random.Random(7).sample(rows, len(rows))  # noqa: S311
    again = tmp_path / "in another order.csv"
    write(again, [header, *mixed])
    said = outlay_json("import", str(again), *MAPPING, timeout=900)
    assert (said["inserted"], said["already_there"]) == (0, len(mixed))
    assert unlanded() == 0


def test_one_expense_more_costs_what_changed(imported):
    workspace = next(w for w in all_workspaces() if w.name == "Personal")
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        account_id = connection.execute("SELECT account_id FROM live.accounts LIMIT 1").fetchone()[0]
    draft = TransactionDraft(
        account_id=account_id,
        occurred_on=date(2017, 6, 30),
        amount=Decimal("12.34"),
        currency="CAD",
        description="one more coffee",
    )
    with Ledger() as ledger:
        answer = ledger.record(
            draft, workspace_id=workspace.workspace_id, actor_id=workspace.workspace_id, source="app"
        )
    assert answer.decision == "accepted"
    built = outlay_json("build")
    assert built["assets"]["bronze/transaction"]["rows_written"] == 1
    assert built["assets"]["bronze/transaction"]["files"] == 1
    costly = {
        key: (figures.get("rows_read"), figures.get("rows_written"))
        for key, figures in built["assets"].items()
        if not (0 <= figures["rows_read"] <= 100 and 0 <= figures["rows_written"] <= 100)
    }
    assert costly == {}
    with session("dbt") as connection:
        row = connection.execute(
            "SELECT amount, currency FROM gold.fct_transactions WHERE transaction_id = %s", (answer.entity_id,)
        ).fetchone()
    assert row == (Decimal("12.34"), "CAD")
