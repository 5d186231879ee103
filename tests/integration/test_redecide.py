"""Better tables decide again of what earlier ones decided: previewed, then changed, and never what somebody chose."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from ingestion import events
from ingestion.enrich import Enricher
from outlay.db import session
from outlay.ledger import amendments, redecide
from outlay.ledger.commands import Ledger
from outlay.ledger.workspaces import Workspace, ensure_workspace
from outlay.settings import PROJECT, settings
from tests.landing import append
from tests.support import outlay, outlay_json, until

pytestmark = pytest.mark.integration
SHOP, TEXT = "Zyxwv Bakehouse", "ZYXWV BAKEHOUSE 00123"  # which no table has
TABLES = "seeds-00000000"  # an earlier version
FULL = {
    "occurred_at_local": datetime(2026, 5, 1, 8, 30),  # noqa: DTZ001 - the clock on the wall
    "posted_on": date(2026, 5, 2),
    "counterparty": "DE02120300000000202051",
    "note": "everything",
    "tags": ["a", "b"],
    "refund_of": uuid4(),
    "transfer_pair": uuid4(),
    "external_id": "bank-1",
    "import_id": uuid4(),
    "attachments": [{"attachment_id": uuid4(), "sha256": "ab" * 32, "media_type": "image/png", "name": "receipt.png"}],
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
    with Ledger() as ledger:
        workspace = ensure_workspace(ledger, name=f"Redecided {uuid4()}", currency="EUR", time_zone="Europe/Rome")
    given = {"kind": "expense", "occurred_on": date(2026, 5, 1), "amount": Decimal("4.5000"), "currency": "EUR"}
    given |= {"account_id": uuid4(), "source": "import", "merchant": SHOP, "description": TEXT}
    told = [
        events.transaction(
            **{**given, "note": note, **own}, workspace_id=workspace.workspace_id, transaction_id=uuid4()
        )
        for note, own in {**CHANGED, **LEFT, **SET_ASIDE}.items()
    ]
    append(stack, *told)
    until(lambda: len(current(workspace)) == len(told), what="live has them")
    return workspace


def current(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """Note -> the newest event's own fields, and its source."""
    with session("app", workspace_id=workspace.workspace_id) as connection:
        rows = connection.execute(
            "SELECT DISTINCT ON (entity_id) state, source FROM live.events"
            " WHERE topic = 'transaction' AND decision = 'accepted' ORDER BY entity_id, version DESC"
        ).fetchall()
    return {state["note"]: state | {"source": source} for state, source in rows}


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
    read = redecide.current_transactions
    with Ledger() as ledger:

        def read_and_overtaken(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
            page = read(*args, **kwargs)
            by = {"actor_id": events.owner_of(home.workspace_id), "source": "app", "wait": 30}
            for state in page:
                if state["note"] == "unknown":
                    changes = {"note": "unknown", "category_id": "giving.gifts"}
                    thing = (home.workspace_id, state["transaction_id"])
                    assert ledger.amend(*thing, changes, expected_version=1, **by).decision == "accepted"
            return page

        monkeypatch.setattr(redecide, "current_transactions", read_and_overtaken)
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
