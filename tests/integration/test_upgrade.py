"""A warehouse of an older release goes on after its upgrade, and has lost nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from ingestion import migrate
from outlay.settings import settings
from tests.integration.test_conversion import abroad, workspace
from tests.integration.warehouse import Warehouse, build, opened

pytestmark = [pytest.mark.integration, pytest.mark.small]

# What dbt had made when silver converted, as far as migrations and builds of today meet it.
BEFORE_RATES_WERE_BATCHES = """
    CREATE TABLE reference.ecb_reference_rates (rate_on date, usd numeric);
    CREATE TABLE reference.fx_rates (rate_on date NOT NULL, currency text NOT NULL, per_eur numeric(24,12) NOT NULL,
        PRIMARY KEY (currency, rate_on));
    INSERT INTO reference.fx_rates VALUES ('2026-04-01', 'USD', 1.25);
    CREATE VIEW staging.stg_transaction_lines AS SELECT * FROM silver.transaction_lines;
    CREATE VIEW intermediate.int_spending_cells AS SELECT batch_id, currency FROM staging.stg_transaction_lines;
    CREATE TABLE gold.progress (model text PRIMARY KEY, batch_id bigint NOT NULL, version text NOT NULL,
        built_at timestamptz NOT NULL);
    INSERT INTO gold.progress SELECT model, 2, 'of an older release', clock_timestamp()
        FROM unnest(ARRAY['ecb_reference_rates', 'fx_rates', 'int_transactions_current', 'fct_transactions']) AS model
"""


def test_expenses_that_an_older_release_left_unconverted_are_there_and_converted(stack, tmp_path):
    home, day = uuid4(), date(2026, 4, 1)
    with opened(stack, tmp_path, revision="0007") as warehouse:
        warehouse.publish(abroad(home, day), abroad(home, day, currency="EUR"))
        warehouse.publish(workspace(home, "EUR"), topic="user")
        _as_dbt(warehouse, BEFORE_RATES_WERE_BATCHES)
        _upgrade()
        warehouse.rates({day: {"USD": "1.25"}})
        build()
        assert _facts(warehouse) == {("USD", Decimal(10), Decimal(8)), ("EUR", Decimal(10), Decimal(10))}
        assert warehouse.rows("SELECT count(*) FROM live.transactions") == [(2,)]
        warehouse.rates({day: {"USD": "2"}})
        build()
        assert _facts(warehouse) == {("USD", Decimal(10), Decimal(5)), ("EUR", Decimal(10), Decimal(10))}


def test_a_database_of_a_newer_release_is_left_as_it_is_and_named(stack, tmp_path):
    with opened(stack, tmp_path) as warehouse:
        warehouse.connection.execute("UPDATE public.schema_version SET version_num = '9999'")
        with pytest.raises(migrate.NewerRelease, match="at revision 9999, and this release knows them up to 00"):
            migrate.upgrade(settings().dsn("owner"))
        assert warehouse.rows("SELECT version_num FROM public.schema_version") == [("9999",)]


def _facts(warehouse: Warehouse) -> set[tuple]:
    return set(warehouse.rows("SELECT currency, amount, amount_converted FROM gold.fct_transactions"))


def _as_dbt(warehouse: Warehouse, statements: str) -> None:
    with warehouse.connection.transaction():
        warehouse.connection.execute("SET LOCAL ROLE outlay_dbt")
        warehouse.connection.execute(statements)


def _upgrade() -> None:
    before, _ = migrate.upgrade(settings().dsn("owner"))
    assert before == "0007"
