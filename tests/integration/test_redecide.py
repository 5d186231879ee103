"""Better tables decide again of what earlier ones decided: previewed, then changed, and never what somebody chose."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from ingestion import events
from outlay.db import session
from outlay.ledger.commands import Ledger, LineDraft, TransactionDraft
from outlay.ledger.workspaces import ensure_account, ensure_workspace
from outlay.settings import PROJECT, settings
from tests.landing import append
from tests.support import outlay, outlay_json, until

pytestmark = pytest.mark.integration
SHOP = "Zyxwv Bakehouse"  # that no table has


@pytest.fixture
def better(tmp_path, monkeypatch) -> Path:
    """Tables that know the shop; the process and its verbs read them."""
    seeds = tmp_path / "seeds"
    shutil.copytree(PROJECT / "seeds", seeds)
    with (seeds / "merchants.csv").open("a") as table:
        table.write("zyxwv bakehouse,Zyxwv,food.groceries\n")
    monkeypatch.setenv("OUTLAY_SEEDS", str(seeds))
    settings.cache_clear()
    yield seeds
    monkeypatch.undo()
    settings.cache_clear()


def current(workspace_id: UUID) -> dict[str | None, tuple]:
    """Note -> what the tables decide of, and the version."""
    fields = "merchant, category_id, category_source, version, source, tags"
    with session("app", workspace_id=workspace_id) as connection:
        rows = connection.execute(f"SELECT note, {fields} FROM live.transactions").fetchall()  # noqa: S608
    return {row[0]: row[1:] for row in rows}


def lines(workspace_id: UUID) -> list[tuple]:
    with session("app", workspace_id=workspace_id) as connection:
        return connection.execute(
            "SELECT line_id, category_id, amount FROM live.transaction_lines ORDER BY line_no"
        ).fetchall()


@pytest.fixture
def home(stack) -> tuple[str, UUID]:
    """A workspace with a transaction of each kind; the name of each is its note."""
    name = f"Redecided {uuid4()}"
    with Ledger() as ledger:
        workspace = ensure_workspace(ledger, name=name, currency="EUR", time_zone="Europe/Rome")
        account = ensure_account(ledger, workspace, name="Card", currency="EUR", type="card")
        given = {
            "account_id": account.account_id, "occurred_on": date(2026, 5, 1), "amount": Decimal("4.50"),
            "currency": "EUR", "description": "ZYXWV BAKEHOUSE 00123",
        }  # fmt: skip
        parts = [LineDraft(Decimal("4.00"), "leisure"), LineDraft(Decimal("0.50"))]
        drafts = {
            "unknown": {},
            "with everything": {"tags": ["a", "b"], "lines": parts, "mcc": "5812"},
            "chosen": {"category_id": "giving.gifts"},
            "named": {"merchant": "Ada's"},
            "transfer": {"kind": "transfer"},
            "other": {"description": "SOMEBODY ELSE"},
        }
        by = {"workspace_id": workspace.workspace_id, "actor_id": events.owner_of(workspace.workspace_id)}
        for note, more in drafts.items():
            assert ledger.record(TransactionDraft(**given | more, note=note), source="app", **by).version == 1
    broken = {"currency": "ZZZ", "amount": Decimal("4.5000"), "kind": "expense", "merchant": SHOP, "note": "bad"}
    bad = events.transaction(**given | broken, **by, source="feed", transaction_id=uuid4())
    append(stack, bad)
    until(lambda: len(current(workspace.workspace_id)) == 7, what="live has them")
    return name, workspace.workspace_id


def test_a_preview_changes_nothing_and_what_is_applied_is_what_it_said(home, better):
    name, workspace_id = home
    before, parts = current(workspace_id), lines(workspace_id)
    assert [part[1:] for part in parts] == [("leisure", Decimal("4.0000")), (None, Decimal("0.5000"))]
    assert before["unknown"] == (SHOP, None, "unknown", 1, "app", [])
    said = outlay_json("merchants", "redecide", "--workspace", name)
    assert current(workspace_id) == before
    assert (said["looked_at"], said["would_change"], said["set_aside"], said["changed"]) == (6, 4, 1, None)
    assert said["categories"] == [
        {"from": None, "to": "food.groceries", "transactions": 2},
        {"from": "food.restaurants", "to": "food.groceries", "transactions": 1},
    ]
    assert said["merchants"] == [{"from": SHOP, "to": "Zyxwv", "transactions": 3}]

    done = outlay_json("merchants", "redecide", "--workspace", name, "--apply")
    assert (done["changed"], done["stale"]) == (said["would_change"], 0)
    after = current(workspace_id)
    assert after == before | {
        "unknown": ("Zyxwv", "food.groceries", "rule", 2, "rule", []),
        "with everything": ("Zyxwv", "food.groceries", "rule", 2, "rule", ["a", "b"]),
        "named": ("Ada's", "food.groceries", "rule", 2, "rule", []),
        "transfer": ("Zyxwv", None, "unknown", 2, "rule", []),
    }
    assert lines(workspace_id) == parts
    assert (
        f"0 of {said['looked_at']} transactions would change"
        in outlay("merchants", "redecide", "--workspace", name).stdout
    )
    again = outlay_json("merchants", "redecide", "--workspace", name, "--apply")
    assert (again["would_change"], again["changed"]) == (0, 0)


def test_a_workspace_that_is_not_there_is_told(stack):
    done = outlay("merchants", "redecide", "--workspace", "Nobody's")
    assert (done.returncode, "no workspace is named" in done.stderr) == (1, True)
