"""When things run, and how fresh what people read must be: for the whole graph, in this one place."""

from dagster import Definitions, in_process_executor

from orchestration.automation.conditions import conditions, follow
from orchestration.automation.failures import failed_runs
from orchestration.automation.freshness import freshness
from orchestration.automation.jobs import backfill_job, build_job, data_docs_job, land_job, maintenance_job
from orchestration.automation.schedules import build_hourly, maintain_nightly
from orchestration.automation.sensors import unlanded_events, unshown_results

__all__ = ["applied", "defs"]

defs = Definitions(
    jobs=[build_job, land_job, data_docs_job, maintenance_job, backfill_job],
    schedules=[build_hourly, maintain_nightly],
    sensors=[unlanded_events, unshown_results, failed_runs, follow],
    executor=in_process_executor,  # of every run: a process a step would cost three seconds and its memory each
)


def applied(everything: Definitions) -> Definitions:
    """`everything`, with what is said of all assets here: how fresh they must be, and when they are asked for."""
    return conditions(freshness(everything))
