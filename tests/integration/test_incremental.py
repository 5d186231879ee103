"""After any sequence of what may happen, gold built step by step is what it would be if it were built at once.

Each sequence is a workspace of its own, so that all ride in the same few builds. Gold is also held against live, which
derives the same log in another way, and each converted amount against the rule in Python.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from ingestion.rates import OLDEST
from outlay.ledger.layers import layers
from outlay.ledger.reconciliation import reconcile
from tests.integration import budgets, recurring
from tests.integration.sequences import Sequence, Step, events_of, generate, regular
from tests.integration.warehouse import Warehouse, build, opened

SEQUENCES = int(os.environ.get("OUTLAY_TEST_SEQUENCES", "60"))
SEEDS = [int(seed) for seed in os.environ.get("OUTLAY_TEST_SEEDS", "1").split()]
ROUNDS = 4
KEPT = sorted((Path(__file__).parents[1] / "vectors" / "sequences").glob("*.json"))
"""Sequences that once made a difference: (rounds of steps, see `tests.integration.sequences`)."""

TABLES = (
    *("reference.fx_rates", "intermediate.int_workspaces", "intermediate.int_entity_versions"),
    *("intermediate.int_entities_current", "gold.fct_deliveries", "gold.fct_budget_months"),
    "gold.fct_recurring_candidates",
    *("intermediate.int_transactions_current", "gold.fct_transactions", "gold.fct_daily_spend", "gold.dim_account"),
    *("gold.dim_user", "gold.dim_category", "gold.dim_merchant", "gold.dim_currency", "gold.dim_date"),
)
ACCEPTED_BY_LIVE = """(
    SELECT workspace_id, entity AS subject, entity_id AS subject_id, version, operation AS outcome FROM live.events AS e
    WHERE entity IN ('report', 'reminder') AND operation IN ('delivered', 'failed') AND decision = 'accepted'
    AND (topic_id, partition, "offset") NOT IN (SELECT topic_id, partition, "offset" FROM silver.quarantine)
) AS accepted"""
RECURRING = "workspace_id, merchant, kind, currency, usual_amount, found_by, cadence, payments, first_on, last_on"
UNITS = {"EUR": 2, "USD": 2, "JPY": 0}

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(3600)]


@pytest.fixture
def warehouse(stack, tmp_path) -> Iterator[Warehouse]:
    with opened(stack, tmp_path) as warehouse:
        yield warehouse


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_builds_end_where_a_build_of_everything_does(warehouse, seed):
    rng = Random(seed)  # noqa: S311 - not secret
    sequences = [*(json.loads(path.read_text()) for path in KEPT), *(generate(rng, ROUNDS) for _ in range(SEQUENCES))]
    sequences += [regular(rng, ROUNDS, days_between=days) for days in (7, 14, 30)]
    sequences.append(regular(rng, ROUNDS, days_between=7, among_others=True))
    ids = {UUID(int=rng.getrandbits(128)): sequence for sequence in sequences}
    rates: dict[tuple[str, date], Decimal] = {}
    for round_ in range(ROUNDS):
        before = rng.random() < 0.5
        if before:
            _publish_rates(warehouse, rng, rates, days=3 if round_ else 60)
        _publish_round(warehouse, rng, {place: sequence[round_] for place, sequence in ids.items()})
        if not before:
            _publish_rates(warehouse, rng, rates, days=3 if round_ else 60)
        build()
    (counts,) = warehouse.rows(
        "SELECT count(*) FILTER (WHERE full_refresh), count(DISTINCT model) FROM gold.model_runs"
    )
    assert counts[0] == counts[1], "all but the first are incremental"
    _keep(warehouse, "step_by_step")
    build("--full-refresh")
    assert _differences(warehouse, ids) == []

    found = reconcile(whole=True)
    assert found.holds, found.differences
    assert found.gold > SEQUENCES
    held = layers()
    assert held["silver"] == held["gold"]
    ((released,),) = warehouse.rows("SELECT count(*) FROM silver.quarantine_states WHERE released_in_batch IS NOT NULL")
    assert released, "some of what was set aside was released"
    assert _wrongly_converted(warehouse, rates) == []
    held = _budgets(warehouse)
    assert _only_one_has(held, budgets.expected(warehouse)) == []
    assert sum(bool(carried and spent) for *_, carried, spent, _, _ in held) > len(held) / 20
    found = set(warehouse.rows(f"SELECT {RECURRING} FROM gold.fct_recurring_candidates"))  # noqa: S608
    assert _only_one_has(found, recurring.expected(warehouse)) == []
    assert {(found_by, cadence) for *_, found_by, cadence, _, _, _ in found} >= {
        *(("merchant", cadence) for cadence in ("weekly", "biweekly", "monthly")),
        ("amount", "weekly"),
    }
    assert _deliveries(warehouse, ACCEPTED_BY_LIVE) == _deliveries(warehouse, "gold.fct_deliveries") != set()


def _publish_rates(warehouse: Warehouse, rng: Random, rates: dict[tuple[str, date], Decimal], *, days: int) -> None:
    """Some days' rates, new ones and corrections."""
    told: dict[date, dict[str, str]] = {}
    for _ in range(days):
        day, currency = date(2025, 12, 15) + timedelta(days=rng.randrange(115)), rng.choice(("USD", "JPY"))
        rates[currency, day] = Decimal(rng.randint(5_000, 20_000)) / 10_000 * (100 if currency == "JPY" else 1)
        told.setdefault(day, {})[currency] = str(rates[currency, day])
    warehouse.rates(told)


def _publish_round(warehouse: Warehouse, rng: Random, rounds: dict[UUID, list[Step]]) -> None:
    """The round of every sequence, in two batches of transactions and one of each other topic, in any order.

    Between them comes some of what rounds before left in quarantine, released.

    A sequence's own order is the log's; which of its events share a batch is chance.
    """
    first: list = []
    second: list = []
    others: dict[str, list] = {"user": [], "report": [], "reminder": []}
    for workspace_id, steps in rounds.items():
        told = list(events_of(steps, workspace_id))
        transactions = [(event, bad) for topic, event, bad in told if topic == "transaction"]
        cut = rng.randint(0, len(transactions))
        first += transactions[:cut]
        second += transactions[cut:]
        for topic, batch in others.items():
            batch += [(event, bad) for of, event, bad in told if of == topic]
    batches = [("transaction", first), ("transaction", second)]
    for other in others.items():
        batches.insert(rng.randint(0, len(batches)), other)
    released = [held for held in warehouse.set_aside if rng.random() < 0.3]
    batches.insert(rng.randint(0, len(batches)), ("released", released))
    for topic, batch in batches:
        if batch and topic == "released":
            warehouse.release(*batch)
        elif batch:
            warehouse.publish(
                *(event for event, _ in batch),
                topic=topic,
                quarantined=frozenset(event["event_id"] for event, bad in batch if bad),
            )


def _deliveries(warehouse: Warehouse, relation: str) -> set[tuple]:
    return set(warehouse.rows(f"SELECT workspace_id, subject, subject_id, version, outcome FROM {relation}"))  # noqa: S608


def _budgets(warehouse: Warehouse) -> set[tuple]:
    return set(
        warehouse.rows(
            "SELECT workspace_id, budget_id, starts_on, ends_on, version, amount, carried_in, spent, remaining,"
            " cells_not_converted FROM gold.fct_budget_months"
        )
    )


def _only_one_has(held: set[tuple], told: set[tuple]) -> list[str]:
    """One line for each row of gold that Python does not tell, and for each that only Python tells."""
    sides = (("gold", held - told), ("Python", told - held))
    return [f"{side} alone: {' '.join(map(str, row))}" for side, rows in sides for row in sorted(rows, key=str)]


def _keep(warehouse: Warehouse, schema: str) -> None:
    warehouse.connection.execute(f"CREATE SCHEMA {schema}")
    for table in TABLES:
        warehouse.connection.execute(f"CREATE TABLE {schema}.{_name(table)} AS TABLE {table}")


def _differences(warehouse: Warehouse, ids: dict[UUID, Sequence]) -> list[str]:
    """One line for each row that only one way of building has, with the sequence it belongs to."""
    said = []
    for table in TABLES:
        kept = f"step_by_step.{_name(table)}"
        for only, one, other in (("step by step", kept, table), ("at once", table, kept)):
            rows = warehouse.rows(
                f"SELECT row_to_json(d) FROM (SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}) AS d LIMIT 5"  # noqa: S608
            )
            for (row,) in rows:
                sequence = ids.get(UUID(row["workspace_id"])) if row.get("workspace_id") else None
                said.append(f"{table} {only} alone: {json.dumps(row)}; sequence {json.dumps(sequence)}")
    return said


def _wrongly_converted(warehouse: Warehouse, rates: dict[tuple[str, date], Decimal]) -> Iterable[tuple]:
    """Facts whose converted amount is not what the rule in Python says."""
    rows = warehouse.rows(
        "SELECT f.workspace_id, f.occurred_on, f.currency, f.amount, f.amount_converted,"
        " w.state -> 'workspace' ->> 'currency' FROM gold.fct_transactions AS f LEFT JOIN live.entities AS w"
        " ON w.workspace_id = f.workspace_id AND w.entity = 'workspace'"
    )
    assert sum(row[4] is not None and row[2] != row[5] for row in rows) > len(rows) / 20
    return [row for row in rows if row[4] != _converted(rates, *row[1:4], row[5])]


def _converted(
    rates: dict[tuple[str, date], Decimal], day: date, currency: str, amount: Decimal, to: str | None
) -> Decimal | None:
    if to == currency or to is None:
        return amount if to else None
    paid, bought = (_per_eur(rates, each, day) for each in (currency, to))
    if paid is None or bought is None:
        return None
    rate = (bought / paid).quantize(Decimal("1e-12"), ROUND_HALF_UP)
    return (amount * rate).quantize(Decimal(1).scaleb(-UNITS[to]), ROUND_HALF_EVEN)


def _per_eur(rates: dict[tuple[str, date], Decimal], currency: str, day: date) -> Decimal | None:
    if currency == "EUR":
        return Decimal(1)
    days = (day - timedelta(days=back) for back in range(OLDEST + 1))
    return next((rates[currency, each] for each in days if (currency, each) in rates), None)


def _name(table: str) -> str:
    return table.replace(".", "_")
