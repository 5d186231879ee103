"""On tables of many workspaces: the dashboard reads its own rows, and a build those that changed, a few times each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from ingestion.batches import number
from orchestration.expectations.gold import FACTS, rows_of
from outlay.db import session
from outlay.ledger import queries
from tests.integration.warehouse import WORKSPACE, Warehouse, build, opened, purchase

pytestmark = [pytest.mark.integration, pytest.mark.small]

WORKSPACES, EACH = 300, 200  # purchases of a year
BUSY = 4_000  # purchases of another workspace, all of one day
VALUES = {
    "month_before": date(2026, 2, 1),
    "month": date(2026, 3, 1),
    "month_after": date(2026, 4, 1),
    "first_month": date(2025, 9, 1),
    "size": 10,
    "names": ["Shop 3"],
    "at_most": 10_000,
    "model": "fct_daily_spend",
    "named": True,
    "day": 14,
    "summed": True,
    "currency": "EUR",
    "minor_units": 2,
}
DASHBOARD = [query.name for query in queries.every() if query.page == "dashboard"]

# The one purchase that was published, as often as it takes to be a year of many workspaces; WORKSPACE is the first.
MANY = """
    CREATE TEMPORARY TABLE purchases AS
    SELECT n AS "offset", ('00000000-0000-0000-0000-' || lpad(to_hex(1 + n / {each}), 12, '0'))::uuid AS workspace_id,
           gen_random_uuid() AS transaction_id, gen_random_uuid() AS event_id, 'Shop ' || n % 40 AS merchant,
           date '2025-07-01' + (n % {each}) * 365 / {each} AS occurred_on
    FROM generate_series(1, {workspaces} * {each} - 1) AS n
    UNION ALL
    SELECT {workspaces} * {each} + n, '00000000-0000-0000-0000-00000000ffff', gen_random_uuid(), gen_random_uuid(),
           'Shop', date '2026-05-05'
    FROM generate_series(1, {busy}) AS n;

    INSERT INTO silver.transaction_events
    SELECT (jsonb_populate_record(e, to_jsonb(p))).* FROM silver.transaction_events AS e CROSS JOIN purchases AS p;

    INSERT INTO silver.transaction_lines
    SELECT (jsonb_populate_record(l, to_jsonb(p) || jsonb_build_object('line_id', p.transaction_id))).*
    FROM silver.transaction_lines AS l CROSS JOIN purchases AS p;

    ANALYZE silver.transaction_events, silver.transaction_lines;
"""


@pytest.fixture(scope="module")
def warehouse(stack, tmp_path_factory) -> Iterator[Warehouse]:
    with opened(stack, tmp_path_factory.mktemp("lake")) as warehouse:
        warehouse.publish(purchase(occurred_on=date(2025, 7, 1)))
        warehouse.connection.execute(MANY.format(workspaces=WORKSPACES, each=EACH, busy=BUSY))
        build()
        yield warehouse


@pytest.fixture(scope="module")
def member(warehouse) -> UUID:
    """Somebody who may only look at the workspace, for whom the app asks."""
    return warehouse.admit(WORKSPACE)


def test_there_is_much_to_read_past(warehouse):
    ((facts, months),) = warehouse.rows(
        "SELECT count(*), count(DISTINCT tableoid) FROM gold.fct_transactions"  # a partition a month
    )
    assert (facts, months) == (WORKSPACES * EACH + BUSY, 12)


@pytest.mark.parametrize("name", DASHBOARD)
def test_a_query_of_the_dashboard_reads_its_workspace_s_rows_of_the_months_asked_for_and_no_other(
    warehouse, member, name
):
    query = queries.named(name)
    some = "SELECT transaction_id FROM gold.fct_transactions WHERE workspace_id = %s AND occurred_on BETWEEN %s AND %s"
    march = warehouse.rows(some, WORKSPACE, VALUES["month"], VALUES["month_after"])
    values = VALUES | {"transaction_ids": [transaction_id for (transaction_id,) in march]}
    with session("app", workspace_id=WORKSPACE, user_id=member) as connection:
        given = {parameter: values[parameter] for parameter in query.parameters}
        explained = "EXPLAIN (ANALYZE, FORMAT JSON) " + query.sql
        [[plan]] = connection.execute(explained, given, prepare=False).fetchone()
    read = sum(_fact_rows(plan["Plan"]))
    assert read <= _held(warehouse, query), plan
    assert read or "gold.fct_" not in query.sql


def _held(warehouse: Warehouse, query: queries.Query) -> int:
    """Rows of the largest fact that the workspace has in the query's months; of all months where it asks for none."""
    starts = [VALUES[name] for name in ("first_month", "month_before", "month") if name in query.parameters]
    first, last = (starts[0], VALUES["month_after"]) if starts else (date.min, date.max)
    ((count,),) = warehouse.rows(
        "SELECT count(*) FROM gold.fct_transactions WHERE workspace_id = %s AND occurred_on >= %s AND occurred_on < %s",
        *(WORKSPACE, first, last),
    )
    assert 0 < count <= EACH
    return count


def _fact_rows(node: dict[str, Any]) -> Iterator[int]:
    """Rows that each scan of a fact fetched, also those that a filter then threw away."""
    if node.get("Relation Name", "").startswith("fct_"):
        thrown = sum(node.get(name, 0) for name in ("Rows Removed by Filter", "Rows Removed by Index Recheck"))
        yield round((node["Actual Rows"] + thrown) * node["Actual Loops"])
    for below in node.get("Plans", ()):
        yield from _fact_rows(below)


EVERYTHING_AGAIN = """
    INSERT INTO silver.transaction_events
    SELECT (jsonb_populate_record(e, jsonb_build_object(
        'batch_id', {batch}, 'offset', e."offset" + 1000000, 'version', 2, 'event_id', gen_random_uuid(),
        'operation', 'amended', 'note', 'again'))).*
    FROM silver.transaction_events AS e;

    INSERT INTO silver.transaction_lines
    SELECT (jsonb_populate_record(l, jsonb_build_object('batch_id', {batch}, 'offset', l."offset" + 1000000))).*
    FROM silver.transaction_lines AS l;

    ANALYZE silver.transaction_events, silver.transaction_lines;
"""


def test_a_batch_that_changes_everything_reads_each_row_a_few_times(warehouse):
    """A plan made for a handful of rows reads a busy day anew for each of its transactions: millions."""
    facts = WORKSPACES * EACH + BUSY
    with warehouse.connection.transaction():
        batch = number(warehouse.connection, topic="transaction", path="-", rows_read=facts, rows_published=facts)
        warehouse.connection.execute(EVERYTHING_AGAIN.format(batch=batch))
    build()
    runs = warehouse.rows(
        "SELECT model, rows_read, rows_written FROM gold.model_runs WHERE upto = %s AND rows_written > 0", batch
    )
    written = {model: rows for model, _, rows in runs}
    assert (
        written["fct_transactions"] == written["int_transactions_current"] == 2 * facts
    )  # the old gone, the new there
    assert {model: rows for model, rows, _ in runs if rows > 15 * facts} == {}
    looked_at = rows_of(FACTS, since=batch - 1, upto=batch)
    [[plan]] = warehouse.connection.execute(sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + looked_at).fetchone()
    assert plan["Plan"]["Actual Rows"] == facts
    assert sum(_fact_rows(plan["Plan"])) <= 2 * facts


def test_a_scan_of_everything_would_be_seen(warehouse):
    with session("operator", workspace_id=UUID(int=2)) as connection:
        connection.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
        connection.execute("SET LOCAL enable_indexonlyscan = off")
        query = queries.named("dashboard_months")
        [[plan]] = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query.sql, prepare=False).fetchone()
    assert sum(_fact_rows(plan["Plan"])) > 100 * EACH
