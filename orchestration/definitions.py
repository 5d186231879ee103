"""Everything Dagster loads: the domains' definitions, merged."""

from dagster import Definitions

from orchestration import automation
from orchestration.defs import bronze, gold, maintenance, quality, silver
from orchestration.resources import resources

defs = automation.freshness(
    Definitions.merge(
        bronze.defs,
        silver.defs,
        gold.defs,
        quality.defs,
        maintenance.defs,
        automation.defs,
        Definitions(resources=resources()),
    )
)
