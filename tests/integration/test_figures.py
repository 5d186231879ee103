"""The size of a table is told without a scan of it, and is what it is while the table is small."""

from __future__ import annotations

import pytest

from orchestration.figures import ROW_COUNT
from orchestration.figures.rows import row_counts
from outlay.db import session
from tests.support import outlay_json

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

TABLES = """
    CREATE SCHEMA sizes;
    CREATE TABLE sizes.empty ();
    CREATE TABLE sizes.few AS SELECT generate_series(1, 5000) AS n;
    CREATE TABLE sizes.many AS SELECT generate_series(1, 300000) AS n;
    CREATE TABLE sizes.parts (n int, month int) PARTITION BY LIST (month);
    CREATE TABLE sizes.part_1 PARTITION OF sizes.parts FOR VALUES IN (1);
    CREATE TABLE sizes.part_2 PARTITION OF sizes.parts FOR VALUES IN (2);
    INSERT INTO sizes.parts SELECT n, 1 + n % 2 FROM generate_series(1, 30000) AS n;
    CREATE VIEW sizes.seen AS SELECT * FROM sizes.many;
    ANALYZE sizes.many;
    ANALYZE sizes.parts;
"""


@pytest.fixture
def connection(stack):
    """Of a transaction that leaves nothing."""
    with session("owner") as connection:
        connection.execute(TABLES)
        yield connection
        connection.rollback()


def rows_read(connection) -> int:
    query = "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE schemaname = 'sizes'"
    return int(connection.execute(query).fetchone()[0])


def test_few_rows_are_counted_many_are_estimated_and_a_view_has_none(connection):
    named = [("sizes", name) for name in ("empty", "few", "many", "parts", "seen", "missing")]
    before = rows_read(connection)
    found = {table: rows for (_, table), rows in row_counts(connection, named).items()}
    assert found.keys() == {"empty", "few", "many", "parts"}
    assert (found["empty"], found["few"]) == (0, 5_000)
    assert found["many"] == pytest.approx(300_000, rel=0.1)
    assert found["parts"] == pytest.approx(30_000, rel=0.1)
    assert rows_read(connection) - before == 5_000


def test_a_build_tells_what_each_step_cost_and_how_large_each_table_is(stack):
    assets = outlay_json("build", timeout=900)["assets"]
    assert {key for key, told in assets.items() if not {"rows_read", "rows_written", "seconds"} <= told.keys()} == set()
    sizes = {key: told[ROW_COUNT] for key, told in assets.items() if ROW_COUNT in told}
    assert {"bronze/transaction", "silver/batches", "silver/fx_rates", "reference/currencies"} <= sizes.keys()
    assert {"gold/fct_transactions", "gold/fct_daily_spend", "gold/dim_date"} <= sizes.keys()
    assert not any(key.startswith("staging/") or key.endswith("_batch") for key in sizes)
    with session("dbt") as connection:
        for key in ("reference/currencies", "gold/dim_currency"):
            schema, table = key.split("/")
            query = f"SELECT count(*) FROM {schema}.{table}"  # noqa: S608
            assert connection.execute(query).fetchone() == (sizes[key],), key
