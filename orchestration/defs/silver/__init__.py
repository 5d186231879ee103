"""Silver: batches staged by Spark, audited, and published to PostgreSQL."""

from dagster import Definitions

from orchestration.defs.silver.checks import expectations
from orchestration.defs.silver.published import silver
from orchestration.defs.silver.quarantine import corrections, releases
from orchestration.defs.silver.rates import fx_rates
from orchestration.defs.silver.staged import silver_batches

defs = Definitions(assets=[fx_rates, silver_batches, silver, releases, corrections], asset_checks=[expectations])
