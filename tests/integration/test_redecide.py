"""Better tables decide again of what earlier ones decided: previewed, then changed, and never what somebody chose."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from ingestion import events
from ingestion.enrich import Enricher
from outlay.ledger import amendments, redecide
from outlay.ledger.commands import Ledger
from outlay.ledger.workspaces import Workspace
from outlay.settings import PROJECT, settings
from tests.integration.noted import EVERYTHING, amend, current, overtaken, recorded
from tests.support import outlay, outlay_json

pytestmark = [pytest.mark.integration, pytest.mark.small]
SHOP, TEXT = "Zyxwv Bakehouse", "ZYXWV BAKEHOUSE 00123"  # which no table has
TABLES = "seeds-00000000"  # an earlier version
FULL = EVERYTHING | {
    "refund_of": uuid4(),
    "transfer_pair": uuid4(),
    "lines": [
        events.line(Decimal("4.0000"), line_id=uuid4(), category_id="leisure", note="cake"),
        events.line(Decimal("0.5000"), line_id=uuid4()),
    ],
}
CHANGED = {
    "unknown": {},
    "everything": FULL,
    "by code": {"mcc": "5812", "category_id": "food.restaurants", "category_source": "mcc", "decided_by": TABLES},
    "named by somebody": {"merchant": "Ada's"},
    "transfer": {"kind": "transfer"},
}
LEFT = {
    "chosen": {"category_id": "giving.gifts", "category_source": "user"},
    "named by the file": {"category_id": "giving.gifts", "category_source": "import"},
    "of another decider": {"category_id": "giving.gifts", "category_source": "rule", "decided_by": "rule 7"},
    "of a source that we do not know": {"category_id": "giving.gifts"},
    "decided from the file's own column": {"merchant": "Rewe", "import_id": uuid4()},
    "pending": {"status": "pending"},
    "void": {"operation": "voided"},
    "known no more": {
        **{"description": "SOMEBODY ELSE", "merchant": "Somebody Else"},
        **{"category_id": "leisure", "category_source": "rule", "decided_by": TABLES},
    },
}
SET_ASIDE = {"of no currency": {"currency": "ZZZ"}, "of no kind": {"kind": "unknown"}, "of version 0": {"version": 0}}
DECIDED = ("merchant", "category_id", "category_source", "category_confidence", "decided_by")


@pytest.fixture
def better(tmp_path, monkeypatch) -> Iterator[Enricher]:
    """Tables that know the shop; verbs read them too."""
    seeds = tmp_path / "seeds"
    shutil.copytree(PROJECT / "seeds", seeds)
    with (seeds / "merchants.csv").open("a") as table:
        table.write("zyxwv bakehouse,Zyxwv,food.groceries\n")
    monkeypatch.setenv("OUTLAY_SEEDS", str(seeds))
    settings.cache_clear()
    yield Enricher(seeds)
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def home(stack) -> Workspace:
    """A workspace with a transaction of each kind; its note is its name above."""
    given = {"kind": "expense", "amount": Decimal("4.5000"), "account_id": uuid4()}
    given |= {"merchant": SHOP, "description": TEXT}
    return recorded(stack, "Redecided", {note: given | own for note, own in {**CHANGED, **LEFT, **SET_ASIDE}.items()})


def kept(state: dict[str, Any]) -> dict[str, Any]:
    """What no decision of the tables may touch."""
    return {name: state[name] for name in state if name not in {*DECIDED, "version", "operation", "source"}}


def test_a_preview_changes_nothing_and_what_is_applied_is_what_it_said(home, better):
    before = current(home)
    said = outlay_json("merchants", "redecide", "--workspace", home.name)
    assert current(home) == before
    counts = (said["looked_at"], said["would_change"], said["set_aside"], said["changed"])
    assert counts == (len(CHANGED) + len(SET_ASIDE) + 2, len(CHANGED), len(SET_ASIDE), None)
    assert said["categories"] == [
        {"from": None, "to": "food.groceries", "transactions": 3},
        {"from": "food.restaurants", "to": "food.groceries", "transactions": 1},
    ]
    assert said["merchants"] == [{"from": SHOP, "to": "Zyxwv", "transactions": 4}]

    done = outlay_json("merchants", "redecide", "--workspace", home.name, "--apply")
    assert (done["changed"], done["stale"]) == (len(CHANGED), 0)
    after = current(home)
    assert {note: after[note] for note in (*LEFT, *SET_ASIDE)} == {note: before[note] for note in (*LEFT, *SET_ASIDE)}
    for note in CHANGED:
        assert kept(after[note]) == kept(before[note])
        by = {name: after[note][name] for name in ("version", "operation", "source")}
        assert by == {"version": 2, "operation": "amended", "source": "rule"}
    known = ("Zyxwv", "food.groceries", "rule", better.version)
    decided = {
        note: tuple(after[note].get(name) for name in ("merchant", "category_id", "category_source", "decided_by"))
        for note in CHANGED
    }
    assert decided == dict.fromkeys(CHANGED, known) | {
        "named by somebody": ("Ada's", *known[1:]),
        "transfer": ("Zyxwv", None, "unknown", None),
    }
    again = outlay_json("merchants", "redecide", "--workspace", home.name, "--apply")
    assert (again["would_change"], again["changed"]) == (0, 0)
    previewed = outlay("merchants", "redecide", "--workspace", home.name).stdout
    assert f"0 of {said['looked_at']} transactions would change" in previewed


def test_what_somebody_changes_meanwhile_is_theirs(home, better, monkeypatch):
    with Ledger() as ledger:
        change = partial(amend, ledger, home, "unknown", {"category_id": "giving.gifts"})
        monkeypatch.setattr(redecide, "current_transactions", overtaken(redecide.current_transactions, change))
        found, done = redecide.apply(ledger, [home], better)
    assert (found.would_change, done.inserted, done.stale) == (len(CHANGED), len(CHANGED) - 1, 1)
    assert current(home)["unknown"]["category_id"] == "giving.gifts"


def test_more_than_a_page_is_read_whole(home, better, monkeypatch):
    monkeypatch.setattr(amendments, "_PAGE", 2)
    found = redecide.preview([home], better)
    assert (found.would_change, found.set_aside) == (len(CHANGED), len(SET_ASIDE))


def test_a_workspace_that_is_not_there_is_told(stack):
    for name in ("Nobody's", ""):
        done = outlay("merchants", "redecide", "--workspace", name)
        assert (done.returncode, "no workspace is named" in done.stderr) == (1, True)
