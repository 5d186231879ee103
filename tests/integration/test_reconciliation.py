"""Reconciliation: live = gold + quarantined as of one place in the log, and who is at fault where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingestion import events
from outlay.ledger.reconciliation import LiveBehind, reconcile
from tests.integration.warehouse import Warehouse, amended, build, opened, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small]


DIFFERENT = range(13, 20)
"""Purchases of which each has a merchant and an amount of its own."""


def different(n: int) -> dict[str, Any]:
    return {"merchant": f"Shop {n}", "amount": Decimal(f"{n * n}.2500")} if n in DIFFERENT else {}


@pytest.fixture(scope="module")
def built(stack, tmp_path_factory) -> Iterator[tuple[Warehouse, list[dict]]]:
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        purchases = [purchase(occurred_on=date(2026, 1 + n % 4, 1), **different(n)) for n in range(20)]
        parts = [events.line(Decimal("3.0000"), line_id=uuid4()), events.line(Decimal("1.5000"), line_id=uuid4())]
        voided, bad = purchase(), purchase(amount=Decimal("-4.5000"))
        warehouse.publish(*purchases, purchase(lines=parts), voided, bad, quarantined=frozenset({bad["event_id"]}))
        warehouse.publish(amended(voided, operation="voided"))
        build()
        yield warehouse, purchases


def test_it_holds_and_counts_what_is_quarantined(built):
    found = reconcile()
    assert found.since == 0, "it was never compared before"
    assert (found.holds, found.live, found.gold, found.quarantined) == (True, 21, 21, 1)


def test_what_nothing_has_touched_since_it_held_is_looked_at_once_a_day(built):
    warehouse, purchases = built
    held = reconcile(whole=True)
    before, touched = purchases[10], purchases[11]
    rename = "UPDATE gold.fct_transactions SET merchant = %s WHERE transaction_id = %s"
    name = before["merchant"]
    warehouse.publish(amended(touched, occurred_on=date(2026, 6, 1)))
    build()
    for spoiled in (before, touched):
        warehouse.connection.execute(rename, ("Nobody", spoiled["transaction_id"]))
    assert [d.transaction_id for d in reconcile().differences] == [touched["transaction_id"]]
    warehouse.connection.execute(rename, (name, touched["transaction_id"]))
    found = reconcile()
    assert (found.holds, found.since, found.live, found.gold) == (True, held.batch_id, 1, 1)
    found = reconcile()
    assert (found.holds, found.since, found.live) == (True, found.batch_id, 0)
    warehouse.connection.execute("UPDATE gold.reconciled SET at = at - interval '25 hours'")
    assert [d.transaction_id for d in reconcile().differences] == [before["transaction_id"]]
    warehouse.connection.execute(rename, (name, before["transaction_id"]))
    found = reconcile()
    assert (found.holds, found.since, found.live) == (True, 0, 21)


def test_facts_that_were_made_anew_are_looked_at_whole(built):
    assert reconcile().holds
    build("--full-refresh")
    found = reconcile()
    assert (found.holds, found.since, found.live) == (True, 0, 21)


def test_a_total_of_a_month_that_something_was_moved_out_of_is_recounted(built):
    warehouse, purchases = built
    spoil = "UPDATE live.monthly_totals SET amount = amount + %s WHERE month = '2026-01-01'"
    warehouse.publish(amended(purchases[12], occurred_on=date(2026, 7, 1)))  # of January before
    build()
    warehouse.connection.execute(spoil, (1,))
    found = reconcile()
    assert (found.holds, found.since > 0, [total.month for total in found.totals]) == (False, True, [date(2026, 1, 1)])
    warehouse.connection.execute(spoil, (-1,))
    assert reconcile().holds


def test_it_holds_while_live_runs_ahead_of_the_build(built):
    warehouse, purchases = built
    ahead = [amended(purchases[0], amount=Decimal("99.0000")), amended(purchases[1], operation="voided"), purchase()]
    warehouse.live_only(*ahead)
    found = reconcile(whole=True)
    assert (found.holds, found.live) == (True, 21)


def test_a_monthly_total_that_is_not_what_its_transactions_come_to_is_named(built):
    warehouse, _ = built
    spoil = "UPDATE live.monthly_totals SET amount = amount + %s, lines = lines + %s WHERE month = '2026-03-01'"
    warehouse.connection.execute(spoil, (1, 2))
    found = reconcile(whole=True)
    assert (found.holds, found.differing, found.cells) == (False, 0, ())
    [total] = found.totals
    assert (total.month, total.category_id, total.kind) == (date(2026, 3, 1), "food.groceries", "expense")
    assert (total.kept_amount - total.amount, total.kept_lines - total.lines) == (1, 2)
    warehouse.connection.execute(spoil, (-1, -2))
    assert reconcile(whole=True).holds


COMPARED = {
    "version": 7,
    "kind": "transfer",
    "status": "scheduled",
    "occurred_on": date(2026, 2, 28),
    "account_id": UUID(int=5),
    "merchant": "Nobody",
    "currency": "XTS",
    "category_id": "travel",
    "amount": Decimal("4.4900"),
}


@pytest.mark.parametrize("layer", ["live", "silver", "gold"])
@pytest.mark.parametrize("column", COMPARED)
def test_a_transaction_of_which_one_column_differs_is_named_among_all(built, layer, column):
    warehouse, purchases = built
    line = column in ("category_id", "amount")
    table = {
        "live": "live.transactions",
        "silver": "silver.transaction_lines" if line else "silver.transaction_events",
        "gold": "gold.fct_transactions",
    }[layer]
    transaction_id = purchases[15]["transaction_id"]
    where = f"WHERE transaction_id = '{transaction_id}'"
    [(kept,)] = warehouse.connection.execute(f"SELECT {column} FROM {table} {where}").fetchall()  # noqa: S608
    put = f"UPDATE {table} SET {column} = %s {where}"  # noqa: S608
    assert warehouse.connection.execute(put, (COMPARED[column],)).rowcount == 1
    found = reconcile(whole=True)
    assert warehouse.connection.execute(put, (kept,)).rowcount == 1
    assert [(d.transaction_id, d.layer) for d in found.differences] == [(transaction_id, layer)]
    assert column.removeprefix("category_").removesuffix("_id") in found.differences[0].detail or line
    assert (found.holds, found.differing, found.live, found.gold) == (False, 1, 21, 21)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("gold.fct_transactions", "amount"),
        ("gold.fct_transactions", "merchant"),
        ("gold.fct_transactions", "occurred_on"),
        ("silver.transaction_lines", "amount"),
        ("silver.transaction_events", "merchant"),
    ],
)
def test_two_that_have_each_others_value_are_named_whichever_two_they_are(built, table, column):
    warehouse, purchases = built
    exchange = f"""
        UPDATE {table} AS one SET {column} = other.{column} FROM {table} AS other
        WHERE (one.transaction_id, other.transaction_id) IN ((%(a)s, %(b)s), (%(b)s, %(a)s))
    """  # noqa: S608
    for a, b in combinations((purchases[n] for n in DIFFERENT), 2):
        if column in a and a[column] == b[column]:
            continue
        ids = {"a": a["transaction_id"], "b": b["transaction_id"]}
        assert warehouse.connection.execute(exchange, ids).rowcount == 2
        found = reconcile(whole=True)
        assert warehouse.connection.execute(exchange, ids).rowcount == 2
        assert {d.transaction_id for d in found.differences} == set(ids.values())
    assert reconcile(whole=True).holds


@pytest.mark.parametrize("table", ["gold.fct_transactions", "silver.transaction_lines"])
def test_an_amount_whose_sign_was_turned_is_named(built, table):
    warehouse, purchases = built
    turn = f"UPDATE {table} SET amount = -amount WHERE transaction_id = %s"  # noqa: S608
    transaction_id = purchases[14]["transaction_id"]
    assert warehouse.connection.execute(turn, (transaction_id,)).rowcount == 1
    found = reconcile(whole=True)
    assert warehouse.connection.execute(turn, (transaction_id,)).rowcount == 1
    assert [d.transaction_id for d in found.differences] == [transaction_id]


def test_each_corrupted_row_is_named_with_its_layer(built):
    warehouse, purchases = built
    live, silver, gold, lost = (p["transaction_id"] for p in purchases[2:6])
    spoil = {
        live: "UPDATE live.transactions SET amount = amount + 0.01",
        silver: "UPDATE silver.transaction_lines SET amount = amount + 1",
        gold: "UPDATE gold.fct_transactions SET category_id = 'travel'",
        lost: "DELETE FROM gold.fct_transactions",
    }
    for transaction_id, statement in spoil.items():
        done = warehouse.connection.execute(f"{statement} WHERE transaction_id = %s", (transaction_id,))
        assert done.rowcount == 1
    found = reconcile(whole=True)
    assert not found.holds
    assert {(d.transaction_id, d.layer) for d in found.differences} == {
        (live, "live"),
        (silver, "silver"),
        (gold, "gold"),
        (lost, "gold"),
    }
    details = {d.transaction_id: d.detail for d in found.differences}
    assert details[live] == "lines are 4.5100 food.groceries, expected 4.5000 food.groceries"
    assert details[lost] == "it is missing"
    assert ("travel", 0, 1) in {(c.category_id, c.live_lines, c.gold_lines) for c in found.cells}


def test_a_file_of_bronze_that_was_changed_is_named(built):
    warehouse, _ = built
    warehouse.connection.execute(
        "UPDATE bronze.files SET sha256 = 'changed' WHERE first_offset = 0 AND topic = 'transaction'"
    )
    first = reconcile(whole=True).differences[0]
    assert first.layer == "bronze"
    assert "SHA-256" in first.detail


def test_live_that_has_not_come_as_far_is_said_and_not_called_a_difference(built):
    warehouse, _ = built
    warehouse.connection.execute("UPDATE live.offsets SET next_offset = 1 WHERE topic = 'transaction'")
    with pytest.raises(LiveBehind, match="partition 0 is at offset 1, gold at 26"):
        reconcile(patience=0.3)
