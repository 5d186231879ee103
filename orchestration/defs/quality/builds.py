"""What the last builds took and wrote, as a chart."""

import time

from dagster import AssetExecutionContext, MaterializeResult, asset

from orchestration import pools
from orchestration.automation.jobs import build_job
from orchestration.figures.builds import last_builds, shown


@asset(
    key=["quality", "builds"],
    deps=[["gold", "fct_transactions"]],
    group_name="quality",
    kinds={"dagster"},
    owners=["team:data"],
    tags={"outlay/layer": "quality"},
    pool=pools.QUALITY,
)
def builds(context: AssetExecutionContext) -> MaterializeResult:
    """Seconds and rows of each of the last builds, layer by layer, as a chart and as a table."""
    began = time.monotonic()
    found = last_builds(context.instance, build_job.name)
    return MaterializeResult(
        metadata={**(shown(found) if found else {}), "seconds": round(time.monotonic() - began, 3)}
    )
