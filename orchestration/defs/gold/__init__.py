"""Reference data, staging, intermediate and gold: dbt's project as assets, their checks, and what people read."""

from dagster import Definitions

from orchestration.defs.gold.checks import expectations, reconciliation
from orchestration.defs.gold.exposures import exposures
from orchestration.defs.gold.models import reference, warehouse

defs = Definitions(assets=[reference, warehouse, *exposures()], asset_checks=[reconciliation, expectations])
