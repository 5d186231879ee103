"""Everything Dagster loads: the domains' definitions, merged, and what automation says of them all."""

from dagster import Definitions

from orchestration import automation
from orchestration.defs import backfill, bronze, gold, maintenance, quality, silver
from orchestration.resources import resources

defs = automation.applied(
    Definitions.merge(
        bronze.defs,
        silver.defs,
        gold.defs,
        quality.defs,
        maintenance.defs,
        backfill.defs,
        automation.defs,
        Definitions(resources=resources()),
    )
)
