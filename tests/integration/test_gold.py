"""Gold: what a build makes of silver, at the cost of what is new, however often it was interrupted."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from secrets import token_hex
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import Composed

from ingestion import events
from ingestion.events import NIL
from orchestration.expectations import run_query
from orchestration.expectations.gold import EXPECTATIONS, FACTS, FACTS_WORTH_A_LOOK, facts_of
from outlay.ledger.layers import layers
from outlay.settings import settings
from tests.integration.warehouse import (
    ACCOUNT,
    NOW,
    OTHER_WORKSPACE,
    WORKSPACE,
    Warehouse,
    amended,
    build,
    dbt,
    opened,
    purchase,
)
from tests.vectors.load import acceptance

pytestmark = [pytest.mark.integration, pytest.mark.small]

MARTS = {
    "gold.fct_transactions": "workspace_id, transaction_id, line_no",
    "gold.fct_daily_spend": "workspace_id, occurred_on, category_id, account_id, currency",
    "gold.dim_account": "workspace_id, account_id, version",
    "gold.dim_user": "workspace_id, user_id",
    "gold.dim_category": "workspace_id, category_id",
    "gold.dim_merchant": "workspace_id, merchant",
    "gold.fct_deliveries": "workspace_id, subject, subject_id, version",
    "gold.fct_budget_months": "workspace_id, budget_id, starts_on",
    "gold.fct_recurring_candidates": "workspace_id, merchant, kind, currency, usual_amount",
    "gold.dim_currency": "currency",
    "gold.dim_date": "date_on",
    "intermediate.int_transactions_current": "workspace_id, transaction_id",
    "intermediate.int_entity_versions": "workspace_id, entity, entity_id, version",
    "intermediate.int_entities_current": "workspace_id, entity, entity_id",
}


@pytest.fixture(scope="module")
def warehouse(stack, tmp_path_factory) -> Iterator[Warehouse]:
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        yield warehouse


def contents(warehouse: Warehouse) -> dict[str, list[tuple]]:
    return {mart: warehouse.rows(f"SELECT * FROM {mart} ORDER BY {key}") for mart, key in MARTS.items()}  # noqa: S608


def entity(kind: str, entity_id: UUID, state: dict, *, workspace_id=WORKSPACE, **fields) -> dict:
    given = {"occurred_at": NOW, "recorded_at": NOW, "source": "app"}
    return events.entity(
        entity=kind, entity_id=entity_id, state=state, workspace_id=workspace_id, **{**given, **fields}
    )


def gold(warehouse: Warehouse) -> dict[str, list[tuple]]:
    return {mart: rows for mart, rows in contents(warehouse).items() if mart.startswith("gold.")}


def test_builds_of_what_is_new_end_where_a_build_of_everything_does(warehouse):
    card = {"name": "Card", "type": "card", "currency": "EUR", "institution": None, "owner_id": UUID(int=9)}
    own = uuid4()
    category = {"category_id": str(own), "name": "Beekeeping", "parent_id": "food"}
    person = {"name": "Ada", "email": None, "locale": "de-AT", "time_zone": "Europe/Vienna"}
    warehouse.publish(
        entity("account", ACCOUNT, card),
        entity("user", UUID(int=9), person, workspace_id=None),
        entity("membership", UUID(int=10), {"user_id": UUID(int=9), "role": "owner"}),
        entity("category", own, category),
        topic="user",
    )
    moved = purchase(occurred_on=date(2026, 3, 31), category_id=str(own), merchant="Apiary")
    split = purchase(
        amount=Decimal("10.0000"),
        lines=[
            events.line(Decimal("7.5000"), line_id=uuid4(), category_id="food.groceries"),
            events.line(Decimal("2.5000"), line_id=uuid4(), category_id="family.pets"),
        ],
    )
    gone = purchase(merchant="Never again")
    abroad = purchase(currency="XAF", amount=Decimal("1000.0000"))
    refund = purchase(kind="refund", amount=Decimal("-1.2000"))
    elsewhere = purchase(workspace_id=OTHER_WORKSPACE, category_id=None)
    ancient = purchase(occurred_on=date(1950, 1, 1))
    warehouse.publish(moved, split, gone, abroad, refund, elsewhere, ancient)
    build()
    later = amended(moved, occurred_on=date(2026, 4, 1), merchant="Honey & Co", amount=Decimal("6.0000"))
    warehouse.publish(later, moved, amended(gone, operation="voided"))
    build()
    renamed = {**card, "name": "Old card"}
    warehouse.publish(
        entity(
            "account", ACCOUNT, renamed, version=2, operation="updated", occurred_at=datetime(2026, 6, 1, tzinfo=UTC)
        ),
        topic="user",
    )
    warehouse.publish(
        amended(later, category_id="food.restaurants"), amended(split, lines=[], amount=Decimal("9.0000"))
    )
    build()
    step_by_step = contents(warehouse)
    build("--full-refresh")
    assert contents(warehouse) == step_by_step

    columns = "transaction_id, occurred_on, category_id, merchant, amount, version"
    facts = {row[0]: row[1:] for row in warehouse.rows(f"SELECT {columns} FROM gold.fct_transactions")}  # noqa: S608
    assert facts[moved["transaction_id"]] == (date(2026, 4, 1), "food.restaurants", "Honey & Co", Decimal("6.0000"), 3)
    assert gone["transaction_id"] not in facts
    assert warehouse.rows("SELECT merchant FROM gold.dim_merchant WHERE workspace_id = %s ORDER BY 1", WORKSPACE) == [
        ("Bakery",),
        ("Honey & Co",),
    ]
    assert warehouse.rows(
        "SELECT amount_converted, amount_not_converted FROM gold.fct_daily_spend WHERE currency = 'XAF'"
    ) == [(Decimal(0), Decimal(1000))]
    assert warehouse.rows("SELECT name, is_current, valid_to FROM gold.dim_account ORDER BY version") == [
        ("Card", False, datetime(2026, 6, 1, tzinfo=UTC)),
        ("Old card", True, None),
    ]
    assert warehouse.rows("SELECT path, kind, level FROM gold.dim_category WHERE category_id = %s", str(own)) == [
        ("Food and drink › Beekeeping", "spending", 2)
    ]
    assert warehouse.rows("SELECT name, role, is_member FROM gold.dim_user") == [("Ada", "owner", True)]


def test_an_archived_category_keeps_its_name_and_what_was_recorded_in_it(warehouse):
    own, below = uuid4(), uuid4()
    state = {"category_id": str(own), "name": "Bees", "parent_id": "food"}
    honey = {"category_id": str(below), "name": "Honey", "parent_id": str(own)}
    warehouse.publish(entity("category", own, state), entity("category", below, honey), topic="user")
    bought = purchase(category_id=str(below))
    warehouse.publish(bought)
    build()
    into = state | {"merged_into": "food"}
    warehouse.publish(entity("category", own, into, version=2, operation="deleted"), topic="user")
    build()
    asked = "SELECT path, is_archived FROM gold.dim_category WHERE category_id = ANY(%s) ORDER BY level"
    found = [("Food and drink › Bees", True), ("Food and drink › Bees › Honey", True)]
    assert warehouse.rows(asked, [str(own), str(below)]) == found
    fact = "SELECT category_id FROM gold.fct_transactions WHERE transaction_id = %s"
    assert warehouse.rows(fact, bought["transaction_id"]) == [(str(below),)]
    step_by_step = contents(warehouse)
    build("--full-refresh")
    assert contents(warehouse) == step_by_step
    warehouse.publish(entity("category", own, state, version=3, operation="restored"), topic="user")
    build()
    assert warehouse.rows(asked, [str(own)]) == [("Food and drink › Bees", False)]


def test_no_single_event_spoils_what_all_share_or_stops_the_builds(warehouse):
    """Such as a writer may send who knows no better, and that no rule keeps out of silver."""
    build()
    shared = "SELECT category_id, name, parent_id FROM gold.dim_category WHERE workspace_id = %s ORDER BY category_id"
    before, same, account = warehouse.rows(shared, NIL), uuid4(), uuid4()
    taken = {"category_id": "food", "name": "Taken over", "parent_id": None}
    long = {"category_id": token_hex(4_000), "name": "Long", "parent_id": None}
    year_one = {"occurred_at": datetime(1, 1, 1, tzinfo=UTC)}
    card = {"name": "Card", "type": "card", "currency": "EUR", "institution": None, "owner_id": None}
    warehouse.publish(
        entity("category", uuid4(), taken, workspace_id=NIL),
        entity("category", uuid4(), long),
        entity("account", account, card, **year_one),
        entity("account", account, card, version=2, operation="updated", **year_one),
        topic="user",
    )
    for topic in ("report", "reminder"):
        given = {"report_id": same, "name": "monthly", "period": "2026-04", "format": "pdf"}
        if topic == "reminder":
            given = {"reminder_id": same, "about": "Rent", "due_at": NOW}
        delivered = {"version": 1, "operation": "delivered", "source": "app", "occurred_at": NOW, "recorded_at": NOW}
        warehouse.publish(getattr(events, topic)(workspace_id=WORKSPACE, **given, **delivered), topic=topic)
    for how in ((), ("--full-refresh",)):
        build(*how)
        assert warehouse.rows(shared, NIL) == before
        assert warehouse.rows("SELECT name FROM gold.dim_category WHERE name IN ('Long', 'Taken over')") == []
        assert warehouse.rows("SELECT count(*) FROM gold.dim_account WHERE account_id = %s", account) == [(2,)]
        assert warehouse.rows("SELECT count(*) FROM gold.fct_deliveries WHERE subject_id = %s", same) == [(2,)]


def test_the_models_own_unit_tests_pass(warehouse):
    build()
    done = dbt("test", "--select", "test_type:unit")
    told = {result.node.name: (result.status, result.message) for result in done.result.results}
    assert {name: said for name, said in told.items() if said[0] not in ("pass", "success")} == {}
    assert len(told) > 12


def test_every_layer_counts_the_same_current_transactions_from_its_own_store(warehouse):
    warehouse.publish(purchase(version=-(2**31)), purchase(version=2**31 - 1))  # the ends of what a version may be
    build()
    assert layers()["live"] == layers()["bronze"] == layers()["silver"] == layers()["gold"]


def test_the_acceptance_rule_leaves_the_state_that_the_vectors_say(warehouse):
    """Each thing's state is that of its last accepted event, though the log was cut into two batches in its middle."""
    halves: tuple[list, list] = ([], [])
    expected, told = {}, {}
    for vector in acceptance():
        things, ids = defaultdict(uuid4), defaultdict(uuid4)
        for number, (sight, decision) in enumerate(zip(vector.events, vector.decisions, strict=True), start=1):
            thing, amount = things[sight.entity_id], Decimal(number)
            halves[number > len(vector.events) // 2].append(
                purchase(transaction_id=thing, event_id=ids[sight.event_id], version=sight.version, amount=amount)
            )
            told[thing] = vector.name
            if decision == "accepted":
                expected[thing] = amount
    for half in halves:
        warehouse.publish(*half)
        assert dbt("run", "--select", "int_transactions_current").success
    held = dict(
        warehouse.rows(
            "SELECT transaction_id, amount FROM intermediate.int_transactions_current WHERE transaction_id = ANY(%s)",
            list(expected),
        )
    )
    assert {told[thing] for thing in expected if held.get(thing) != expected[thing]} == set()


def test_one_expense_more_reads_and_writes_what_it_touches(warehouse):
    warehouse.publish(
        *(purchase(merchant=f"Shop {n % 5}", occurred_on=date(2025, 1 + n % 12, 1 + n % 28)) for n in range(2000))
    )
    bad = [purchase() for _ in range(200)]
    warehouse.publish(*bad, quarantined=frozenset(event["event_id"] for event in bad))
    build()
    one = purchase(merchant="Shop 1", occurred_on=date(2025, 2, 3))
    batch = warehouse.publish(one)
    build()
    costs = warehouse.rows(
        "SELECT model, rows_read, rows_written FROM gold.model_runs WHERE upto = %s AND rows_read > 0", batch
    )
    assert {model: bool(written) for model, _, written in costs} == {
        "int_transactions_current": True,
        "fct_transactions": True,
        "fct_daily_spend": True,
        "fct_budget_months": False,  # the workspace has none
        "dim_merchant": True,
        "fct_recurring_candidates": False,  # none of the shops is paid by a rhythm
    }
    assert [cost for cost in costs if not (0 < cost[1] <= 150 and cost[2] <= 10)] == []
    assert warehouse.rows(
        "SELECT amount FROM gold.fct_transactions WHERE transaction_id = %s", one["transaction_id"]
    ) == [(Decimal("4.5000"),)]


@pytest.mark.timeout(120)
def test_a_batch_that_the_statistics_do_not_know_is_tested_in_time(warehouse):
    days = [date(2016 + n % 4, 1 + n % 12, 1 + n % 28) for n in range(2000)]
    warehouse.publish(*(purchase(occurred_on=day) for day in days))
    build()
    warehouse.publish(*(purchase(occurred_on=day) for day in days[:500]))
    build()  # for hours, when a plan for one row joins each of the batch with each in every month


def test_a_build_that_failed_in_the_middle_is_made_good_by_the_next(warehouse):
    first = purchase(occurred_on=date(2024, 1, 31))
    warehouse.publish(first)
    build()
    second = amended(first, occurred_on=date(2024, 2, 1))
    warehouse.publish(second)
    assert dbt("run", "--select", "int_transactions_current").success
    warehouse.publish(amended(second, occurred_on=date(2024, 3, 1)))
    assert dbt("run", "--select", "int_transactions_current").success
    build()
    where = "WHERE transaction_id = %s"
    assert warehouse.rows(f"SELECT occurred_on FROM gold.fct_transactions {where}", first["transaction_id"]) == [  # noqa: S608
        (date(2024, 3, 1),)
    ]
    assert warehouse.rows(
        "SELECT occurred_on FROM gold.fct_daily_spend WHERE occurred_on BETWEEN '2024-01-01' AND '2024-12-31'"
    ) == [(date(2024, 3, 1),)]


def test_an_account_s_event_in_quarantine_was_seen_and_is_no_version(warehouse):
    account = uuid4()
    state = {"name": "Joint", "type": "card", "currency": "EUR", "institution": None, "owner_id": None}
    bad = entity("account", account, state, version=2, operation="updated")
    warehouse.publish(entity("account", account, state), topic="user")
    warehouse.publish(bad, topic="user", quarantined=frozenset({bad["event_id"]}))
    late = entity("account", account, {**state, "name": "Late"}, version=2, operation="updated")
    warehouse.publish(late, topic="user")
    build()
    versions = "SELECT version, name FROM gold.dim_account WHERE account_id = %s ORDER BY version"
    assert warehouse.rows(versions, account) == [(1, "Joint")]
    seen = "SELECT version, event_id FROM live.entities WHERE entity_id = %s"
    assert warehouse.rows(seen, account) == [(2, bad["event_id"])], "live too took the version for the bad event"
    warehouse.publish(
        entity("account", account, {**state, "name": "New"}, version=3, operation="updated"), topic="user"
    )
    build()
    assert warehouse.rows(versions, account) == [(1, "Joint"), (3, "New")]


def test_what_was_loaded_or_made_anew_is_followed_by_all_that_reads_it(warehouse):
    build()
    assert dbt("seed", "--full-refresh", "--select", "currencies").success
    assert dbt("run", "--select", "fct_daily_spend").success  # before what it reads: it has to be made once more
    (before,) = warehouse.rows("SELECT max(finished_at) FROM gold.model_runs")[0]
    build()
    anew = {
        model
        for (model,) in warehouse.rows(
            "SELECT model FROM gold.model_runs WHERE finished_at > %s AND full_refresh", before
        )
    }
    assert anew >= {"int_workspaces", "int_reconversions", "fct_transactions", "fct_daily_spend"}
    assert not anew & {"int_transactions_current", "dim_merchant", "dim_account", "currencies"}
    build()
    assert warehouse.rows("SELECT count(*) FROM gold.model_runs WHERE full_refresh AND finished_at > %s", before) == [
        (len(anew),)
    ]


def test_batches_that_replace_others_make_gold_of_their_topic_anew_and_no_other(warehouse):
    kept, gone = purchase(merchant="Kept"), purchase(merchant="Gone", occurred_on=date(2026, 2, 2))
    old = warehouse.publish(kept, gone)
    build()
    before = gold(warehouse)
    offsets = dict(warehouse.rows('SELECT event_id, "offset" FROM silver.transaction_events WHERE batch_id = %s', old))
    placed = [(offsets[event["event_id"]], event) for event in (kept, gone)]
    new = warehouse.replace(old, placed[:1])
    build()
    made_anew = "SELECT model FROM gold.model_runs WHERE upto >= %s AND full_refresh"
    anew = {model for (model,) in warehouse.rows(made_anew, new)}
    assert {"int_transactions_current", "fct_transactions", "fct_daily_spend", "dim_merchant"} <= anew
    assert not anew & {"int_entity_versions", "dim_account", "dim_user", "dim_category", "fct_deliveries", "dim_date"}
    merchants = "SELECT merchant FROM gold.dim_merchant WHERE merchant IN ('Kept', 'Gone')"
    assert warehouse.rows(merchants) == [("Kept",)]
    step_by_step = contents(warehouse)
    build("--full-refresh")
    assert contents(warehouse) == step_by_step
    warehouse.replace(new, placed)
    build()
    assert gold(warehouse) == before


def test_no_model_is_built_while_something_that_it_reads_is(warehouse):
    warehouse.publish(purchase())
    build()
    database = warehouse.connection.info.dbname
    lock = f'"{database}"."intermediate"."int_transactions_current"'
    with psycopg.connect(settings().dsn("owner")) as other, ThreadPoolExecutor(1) as thread:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
        building = thread.submit(dbt, "run", "--select", "fct_transactions")
        waiting = (
            "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
            " WHERE d.datname = %s AND l.locktype = 'advisory' AND NOT l.granted AND l.mode = 'ShareLock'"
        )
        while not warehouse.rows(waiting, database)[0][0]:
            assert not building.done(), building.result()
            time.sleep(0.05)
        other.rollback()
        assert building.result().success


def test_great_expectations_looks_at_what_the_last_build_made_and_names_what_is_wrong(warehouse):
    own = uuid4()
    home = {"name": "Home", "currency": "EUR", "time_zone": None}
    warehouse.publish(entity("workspace", own, home, workspace_id=own), topic="user")
    before = purchase(workspace_id=own, amount=Decimal("2.0000"), occurred_on=date(2023, 5, 1))
    warehouse.publish(before)
    build()
    bad = purchase(workspace_id=own, amount=Decimal("3.0000"), occurred_on=date(2023, 5, 2))
    batch = warehouse.publish(bad)
    build()
    facts = facts_of(since=batch - 1, upto=batch)
    assert _failures(facts) == {FACTS: [], FACTS_WORTH_A_LOOK: []}
    # What tables allow, and no model makes: an old rate, and an amount that the rate does not come to.
    warehouse.connection.execute(
        "UPDATE gold.fct_transactions SET fx_rate_on = occurred_on - 30, amount_converted = amount_converted + 5"
        " WHERE workspace_id = %s",
        (own,),
    )
    assert _failures(facts) == {
        FACTS: [
            "facts: expect_column_values_to_be_in_set(rate_is_not_too_old): 1 of 1, such as False",
            "facts: expect_column_values_to_be_between(conversion_error): 1 of 1, such as 5.0000000000000000",
        ],
        FACTS_WORTH_A_LOOK: [],
    }
    _, line = _failures(facts_of(since=0, upto=batch))[FACTS]
    ((count,),) = warehouse.rows("SELECT count(*) FROM gold.fct_transactions")
    error = "5.0000000000000000"
    assert (
        line == f"facts: expect_column_values_to_be_between(conversion_error): 2 of {count}, such as {error}; {error}"
    )
    build("--full-refresh", "--select", "fct_transactions")
    assert _failures(facts) == {FACTS: [], FACTS_WORTH_A_LOOK: []}


def _failures(facts: Composed) -> dict[str, list[str]]:
    suites = (FACTS, FACTS_WORTH_A_LOOK)
    return {suite: run_query(suite, facts, EXPECTATIONS[suite], "dbt").failures() for suite in suites}


def test_nothing_new_costs_nothing(warehouse):
    build()
    before = warehouse.rows("SELECT coalesce(max(finished_at), 'epoch') FROM gold.model_runs")[0][0]
    build()
    assert (
        warehouse.rows(
            "SELECT model FROM gold.model_runs WHERE finished_at > %s AND rows_read + rows_written > 0", before
        )
        == []
    )


def test_the_app_reads_its_own_workspace_and_nothing_past_a_policy(warehouse):
    """What its role can read is under forced row-level security, or a view that asks as the reader, or public."""
    public = {
        "gold.dim_date",
        "gold.dim_currency",
        "gold.progress",
        "gold.model_runs",
        "live.offsets",
        "silver.log_places",
    }
    readable = warehouse.rows("""
        SELECT oid::regclass::text, relrowsecurity AND relforcerowsecurity OR reloptions @> '{security_invoker=true}'
        FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
            AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
            AND has_schema_privilege('outlay_app', relnamespace, 'USAGE')
            AND has_table_privilege('outlay_app', oid, 'SELECT')
    """)
    guarded = {name for name, safe in readable if safe}
    open_to_all = {name for name, safe in readable if not safe}
    assert {name for name in open_to_all if not name.startswith("reference.")} <= public
    assert {
        "gold.fct_transactions",
        "gold.fct_daily_spend",
        "gold.dim_category",
        "gold.workspace_categories",
    } <= guarded
    assert not any("fct_transactions_" in name for name, _ in readable), "a partition would pass by its parent's policy"


def test_a_session_of_the_app_sees_the_workspace_that_it_named_for_a_member(warehouse):
    from outlay.db import session

    member, stranger = warehouse.admit(OTHER_WORKSPACE), uuid4()
    with session("app", workspace_id=OTHER_WORKSPACE, user_id=member) as connection:
        seen = connection.execute("SELECT DISTINCT workspace_id FROM gold.fct_transactions").fetchall()
        own = connection.execute("SELECT count(*) FROM gold.workspace_categories WHERE name = 'Beekeeping'").fetchone()
        shared = connection.execute(
            "SELECT count(*) FROM gold.workspace_categories WHERE category_id = 'food'"
        ).fetchone()
    assert (seen, own, shared) == ([(OTHER_WORKSPACE,)], (0,), (1,))
    for given in ({}, {"workspace_id": OTHER_WORKSPACE}, {"workspace_id": OTHER_WORKSPACE, "user_id": stranger}):
        with session("app", **given) as connection:
            for table in ("fct_transactions", "fct_daily_spend", "dim_account", "fct_budget_months"):
                assert connection.execute(f"SELECT count(*) FROM gold.{table}").fetchone() == (0,), (table, given)  # noqa: S608
    with session("operator", workspace_id=OTHER_WORKSPACE) as connection:
        rows = connection.execute("SELECT DISTINCT workspace_id FROM gold.fct_transactions").fetchall()
    assert rows == [(OTHER_WORKSPACE,)]
