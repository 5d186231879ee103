"""Transfers are paired and refunds linked: previewed, then changed, given back, and never what somebody chose."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from ingestion import events
from ingestion.enrich import Enricher
from outlay.db import session
from outlay.insights.links import VERSION
from outlay.ledger import amendments, linking, undoing
from outlay.ledger.commands import Ledger
from outlay.ledger.queries.totals import by_month, spent
from outlay.ledger.workspaces import Workspace
from outlay.settings import settings
from tests.integration.noted import EVERYTHING, amend, current, identity, overtaken, recorded
from tests.support import outlay, outlay_json

pytestmark = [pytest.mark.integration, pytest.mark.small]
MAY = date(2026, 5, 1)
CHECKING, SAVINGS, CARD = uuid4(), uuid4(), uuid4()


def out(amount: str, **own: Any) -> dict[str, Any]:
    given = {"account_id": CHECKING, "kind": "expense", "description": "Max Muster"}
    return given | {"amount": Decimal(amount)} | own


def into(amount: str, **own: Any) -> dict[str, Any]:
    given = {"account_id": SAVINGS, "kind": "refund", "description": "Max Muster", "occurred_on": date(2026, 5, 4)}
    return given | {"amount": -Decimal(amount)} | own


def bought(amount: str, merchant: str, **own: Any) -> dict[str, Any]:
    return out(amount, merchant=merchant, category_id="shopping", category_source="rule", decided_by="seeds-1", **own)


def returned(amount: str, merchant: str, **own: Any) -> dict[str, Any]:
    given = {"account_id": CHECKING, "category_id": "shopping", "category_source": "rule", "decided_by": "seeds-1"}
    return into(amount, merchant=merchant, **given | own)


def split(*categories: str | None) -> list[dict[str, Any]]:
    return [events.line(Decimal("2.2500"), line_id=uuid4(), category_id=category_id) for category_id in categories]


GIFTS = {"category_id": "giving.gifts", "category_source": "user"}
BY_CARD = {"category_id": "transfer.card_payment", "category_source": "user"}
TRANSFERS = {
    "saved": out("100.0000"),
    "saved in": into("100.0000"),
    "salary of one's own firm": out("70.0000", posted_on=date(2026, 5, 8)),
    "salary in": into("70.0000", kind="income"),
    "card bill": out("250.1000", kind="transfer", **BY_CARD),
    "card bill in": into("250.1000", account_id=CARD, category_id="uncategorised", category_source="import"),
    "everything": out("4.5000", **EVERYTHING, lines=split("transfer.own", None)),
    "everything in": into("4.5000"),
    "says it": out("62.0000", merchant="Somebody", description="ÜBERWEISUNG SOMEBODY"),
    "says it in": into("62.0000", merchant="Somebody"),
}
"""Each, followed by its other half."""
MENDED = {
    "names its half": out(
        "31.0000", kind="transfer", transfer_pair="half", category_id="transfer", category_source="rule"
    ),
    "half": into("31.0000"),
}
REFUNDS = {
    "bought": bought("50.0000", "Zyxwv"),
    "returned": returned("50.0000", "Zyxwv"),
    "much bought": bought("80.0000", "Yxwvu"),
    "some returned": returned("30.0000", "Yxwvu"),
    "more returned": returned("40.0000", "Yxwvu", **EVERYTHING | {"lines": []}),
    "bought by card": bought("33.3300", "Xwvut"),
    "returned to another": returned("33.3300", "Xwvut", account_id=CARD),
}
REFUND_OF = {
    "returned": "bought",
    "some returned": "much bought",
    "more returned": "much bought",
    "returned to another": "bought by card",
}
SET_ASIDE = {
    "of no currency": out("5.0000", currency="ZZZ"),
    "of no currency in": into("5.0000", currency="ZZZ"),
    "bought for nothing known": bought("6.0000", "Wvuts", currency="ZZZ"),
    "returned of it": returned("6.0000", "Wvuts", currency="ZZZ"),
}
LEFT = {
    "either": out("71.0000"),
    "either in": into("71.0000"),
    "or in": into("71.0000", account_id=CARD),
    "bought before": out("65.0000", merchant="Somebody"),
    "transfer or purchase": out("61.0000", merchant="Somebody"),
    "transfer or refund": into("61.0000", merchant="Somebody"),
    "chosen": out("44.0000", **GIFTS),
    "chosen in": into("44.0000"),
    "chosen by the file": out("45.0000", kind="transfer", **GIFTS | {"category_source": "import"}),
    "chosen by the file in": into("45.0000"),
    "of a shop": bought("46.0000", "Vutsr"),
    "of no shop": into("46.0000"),
    "pending": out("47.0000", status="pending"),
    "pending in": into("47.0000"),
    "void": out("48.0000", operation="voided"),
    "void in": into("48.0000"),
    "late": out("49.0000"),
    "late in": into("49.0000", posted_on=date(2026, 5, 6)),
    "of parts": out("4.5100", lines=[events.line(Decimal("4.5100"), line_id=uuid4(), category_id="leisure")]),
    "of parts in": into("4.5100"),
    "names nothing": out("51.0000", kind="transfer", transfer_pair="void"),
    "whole": out("52.0000", kind="transfer", transfer_pair="whole in"),
    "whole in": into("52.0000", kind="transfer", transfer_pair="whole"),
    "bought one": bought("53.0000", "Utsrq"),
    "bought two": bought("54.0000", "Utsrq"),
    "returned of either": returned("20.0000", "Utsrq"),
    "bought and paid back": bought("55.0000", "Tsrqp"),
    "paid back": returned("40.0000", "Tsrqp", refund_of="bought and paid back"),
    "paid back too often": returned("16.0000", "Tsrqp"),
    "returned of nothing": returned("17.0000", "Srqpo"),
    "returned, pending": returned("50.0000", "Zyxwv", status="pending"),
}
CASES = {**TRANSFERS, **MENDED, **REFUNDS, **SET_ASIDE, **LEFT}
WOULD_CHANGE = len(TRANSFERS) + 1 + len(REFUND_OF)


@pytest.fixture
def home(stack) -> Workspace:
    """A workspace with a transaction of each kind; its note is its name above."""
    return recorded(stack, "Linked", CASES)


@pytest.fixture(scope="module")
def enricher() -> Enricher:
    return Enricher(settings().seeds)


def linked(home: Workspace, before: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the states are to be after all is linked."""
    own = {"category_id": "transfer.own", "category_source": "rule", "decided_by": VERSION}
    notes = list(TRANSFERS)
    pairs = dict(zip(notes[::2], notes[1::2], strict=True))
    pairs |= {other: one for one, other in pairs.items()} | {"half": "names its half"}
    changes = {
        one: {"kind": "transfer", "transfer_pair": str(identity(home, other)), **(own if one != "card bill" else {})}
        for one, other in pairs.items()
    }
    changes |= {one: {"refund_of": str(identity(home, other))} for one, other in REFUND_OF.items()}
    by = {"version": 2, "operation": "amended", "source": "rule"}
    return before | {note: before[note] | changed | by for note, changed in changes.items()}


def fields(states: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What they say, whoever said it and how often."""
    by = {"version", "operation", "source"}
    return {note: {name: state[name] for name in state.keys() - by} for note, state in states.items()}


def totals(home: Workspace) -> tuple[Decimal, dict[str, Decimal]]:
    """What live's totals say was spent in euros, and of each kind."""
    with session("operator", workspace_id=home.workspace_id) as connection:
        (in_all,) = (total.amount for total in spent(connection, MAY) if total.currency == "EUR")
        by_kind = by_month(connection, MAY, MAY, by=["kind"])
    return in_all, {total.kind: total.amount for total in by_kind if total.currency == "EUR"}


def counted(states: dict[str, dict[str, Any]]) -> dict[str, Decimal]:
    """The same of each kind, added up from the states."""
    found: Counter[str] = Counter()
    for state in states.values():
        if state["operation"] != "voided" and state["currency"] == "EUR":
            found[state["kind"]] += Decimal(state["amount"])
    return found


def test_a_preview_changes_nothing_and_what_is_applied_is_what_it_said(home):
    before = current(home)
    said = outlay_json("match", "--workspace", home.name, "--top", "100")
    assert current(home) == before
    assert (said["would_change"], said["set_aside"], said["changed"], said["run"]) == (WOULD_CHANGE, 3, None, None)
    assert said["links"] == {"transfer": len(TRANSFERS) // 2, "half": 1, "refund": len(REFUND_OF)}
    assert said["left"] == {"transfers": 5, "refunds": 1, "halves": 1}
    expected = {("half", "half", "names its half"), *(("refund", *pair) for pair in REFUND_OF.items())}
    notes = list(TRANSFERS)
    expected |= {("transfer", *pair) for pair in zip(notes[::2], notes[1::2], strict=True)}
    noted = {str(identity(home, note)): note for note in CASES}
    examples = [(each["what"], noted[each["transaction_id"]], noted[each["belongs_to"]]) for each in said["examples"]]
    assert (set(examples), len(examples)) == (expected, len(expected))
    spent_before, of_kind = totals(home)
    assert of_kind == counted(before)

    done = outlay_json("match", "--workspace", home.name, "--apply")
    assert (done["changed"], done["stale"], done["left"]) == (WOULD_CHANGE, 0, said["left"])
    after = current(home)
    assert after == linked(home, before)
    spent_after, of_kind = totals(home)
    assert of_kind == counted(after)
    out_of_spending = [note for note in (*TRANSFERS, "half") if CASES[note]["kind"] in ("expense", "refund")]
    assert spent_before - spent_after == sum(CASES[note]["amount"] for note in out_of_spending)
    assert spent_before - spent_after == Decimal("70") - Decimal("250.1") - Decimal("31")

    again = outlay_json("match", "--workspace", home.name, "--apply")
    assert (again["would_change"], again["changed"], again["left"]) == (0, 0, said["left"])
    previewed = outlay("match", "--workspace", home.name).stdout
    assert f"0 of {again['looked_at']} transactions would change" in previewed
    assert "5 may be half of several transfers, or as well a refund: left" in previewed


def test_undo_gives_everything_back_but_what_somebody_changed_since(home):
    before = current(home)
    run = outlay_json("match", "--workspace", home.name, "--apply")["run"]
    after = current(home)
    with Ledger() as ledger:
        amend(ledger, home, "saved in", {"tags": ["mine"]}, version=2)
    said = outlay("match", "--undo", run).stdout
    assert "1 were changed by somebody since: left" in said
    assert f"{WOULD_CHANGE - 1} of {WOULD_CHANGE} transactions changed" in said
    back = current(home)
    assert back["saved in"] == after["saved in"] | {"tags": ["mine"], "version": 3, "source": "app"}
    others = back.keys() - {"saved in"}
    assert {note: fields(back)[note] for note in others} == {note: fields(before)[note] for note in others}
    assert back["returned"]["version"] == 3

    undone = outlay_json("match", "--undo", run)
    assert (undone["changed"], undone["changed_since"]) == (0, WOULD_CHANGE)
    again = outlay_json("match", "--workspace", home.name, "--apply")
    assert again["links"] == {"transfer": len(TRANSFERS) // 2 - 1, "half": 2, "refund": len(REFUND_OF)}
    assert fields(current(home)) == fields(after | {"saved in": back["saved in"]})


def test_an_undo_can_be_undone(home):
    run = outlay_json("match", "--workspace", home.name, "--apply")["run"]
    after = current(home)
    undo = outlay_json("match", "--undo", run)["run"]
    assert current(home) != after
    assert outlay_json("match", "--workspace", home.name, "--undo", undo)["changed"] == WOULD_CHANGE
    assert fields(current(home)) == fields(after)


def test_what_somebody_changes_meanwhile_is_theirs_and_its_half_is_mended_later(home, enricher, monkeypatch):
    before = current(home)
    with Ledger() as ledger:
        change = partial(amend, ledger, home, "saved in", {"tags": ["mine"]})
        monkeypatch.setattr(linking, "current_transactions", overtaken(linking.current_transactions, change))
        found, done = linking.apply(ledger, [home], enricher, uuid4())
        assert (found.would_change, done.inserted, done.stale) == (WOULD_CHANGE, WOULD_CHANGE - 1, 1)
        theirs = before["saved in"] | {"tags": ["mine"], "version": 2, "operation": "amended", "source": "app"}
        expected = linked(home, before)
        assert current(home) == expected | {"saved in": theirs}
        _, done = linking.apply(ledger, [home], enricher, uuid4())
    assert (done.inserted, done.stale) == (1, 0)
    mended = {name: expected["saved in"][name] for name in ("kind", "transfer_pair", "category_id", "category_source")}
    mended |= {"decided_by": VERSION, "version": 3, "source": "rule"}
    assert current(home) == expected | {"saved in": theirs | mended}


def test_what_was_changed_since_it_was_matched_is_left_on_both_sides(home, enricher, monkeypatch):
    before = current(home)
    with Ledger() as ledger:
        change = partial(amend, ledger, home, "saved in", {"category_id": "giving.gifts"})
        monkeypatch.setattr(linking, "entries", overtaken(linking.entries, change))
        _, done = linking.apply(ledger, [home], enricher, uuid4())
    assert (done.inserted, done.stale) == (WOULD_CHANGE - 2, 2)
    after = current(home)
    assert after["saved"] == before["saved"]
    assert (after["saved in"]["category_id"], after["saved in"]["version"]) == ("giving.gifts", 2)


def test_more_than_a_page_is_read_whole(home, enricher, monkeypatch):
    monkeypatch.setattr(amendments, "_PAGE", 2)
    monkeypatch.setattr(linking, "_TOGETHER", 2)
    before = current(home)
    run = uuid4()
    with Ledger() as ledger:
        linking.apply(ledger, [home], enricher, run)
        assert current(home) == linked(home, before)
        undone = undoing.undo(ledger, [home], run, by_run=uuid4())
    assert undone[1].inserted == WOULD_CHANGE
    assert fields(current(home)) == fields(before)


def test_a_run_that_changed_nothing_is_told(stack):
    done = outlay("match", "--undo", str(uuid4()))
    assert (done.returncode, "no transaction was changed by a run" in done.stderr) == (1, True)
