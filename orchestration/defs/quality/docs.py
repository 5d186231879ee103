"""Data Docs: what the checks of the last builds found, as Great Expectations shows it."""

import time

from dagster import MaterializeResult, MetadataValue, asset

from ingestion.contracts import TOPICS
from orchestration import pools
from orchestration.expectations import data_docs as pages
from outlay.settings import settings


@asset(
    key=["quality", "data_docs"],
    deps=[*(["silver", f"{topic}_batch"] for topic in TOPICS), ["gold", "fct_transactions"]],
    group_name="quality",
    kinds={"greatexpectations", "html"},
    owners=["team:data"],
    tags={"outlay/layer": "quality"},
    pool=pools.QUALITY,
)
def data_docs() -> MaterializeResult:
    """What each suite of Great Expectations found lately, held or failed, as its pages show it: `outlay data-docs`.

    A sensor asks for them after checks have run, of builds that failed as well.
    """
    began = time.monotonic()
    built = pages.build(settings().home)
    return MaterializeResult(
        metadata={
            "pages": MetadataValue.path(str(built.index)),
            "results": sum(built.results.values()),
            "failed": built.failed,
            "seconds": round(time.monotonic() - began, 3),
            **{f"results/{suite}": count for suite, count in sorted(built.results.items())},
        }
    )
