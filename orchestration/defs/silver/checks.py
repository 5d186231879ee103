"""What a staged batch must fulfil before any of it is published."""

from collections.abc import Iterator

from dagster import AssetCheckExecutionContext, AssetCheckResult, AssetCheckSpec, multi_asset_check

from ingestion.contracts import TOPICS
from orchestration import pools
from orchestration.expectations import Outcome, metadata
from orchestration.expectations.data_docs import keep
from orchestration.retries import retried
from outlay.db import session
from outlay.settings import settings


@multi_asset_check(
    name="silver_expectations",
    specs=[
        AssetCheckSpec(
            "expectations",
            asset=["silver", f"{topic}_batch"],
            blocking=True,
            description="Great Expectations on the batch's Parquet: a batch that fails one is not published.",
        )
        for topic in TOPICS
    ],
    can_subset=True,
    pool=pools.SILVER,
)
def expectations(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
    from orchestration.batches import staged  # with all that reads Parquet: only a run needs it
    from orchestration.expectations.silver import audit_staged

    with retried(), session("pipeline", autocommit=True) as connection:
        for key in sorted(context.selected_asset_check_keys):
            outcomes: list[Outcome] = []
            for batch in staged(connection, key.asset_key.path[-1].removesuffix("_batch")):
                found = audit_staged(connection, settings().lake, batch)
                keep(settings().home, found, run_id=context.run.run_id, log=context.log)
                outcomes += found
            failures = [failure for outcome in outcomes for failure in outcome.failures()]
            yield AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=not failures,
                description="\n".join(failures) or None,
                metadata=metadata(outcomes),
            )
