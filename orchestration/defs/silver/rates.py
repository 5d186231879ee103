"""Exchange rates as they came: files of the European Central Bank, taken in as batches."""

import time

from dagster import AssetExecutionContext, MaterializeResult, asset

from ingestion.rates import load_new_files
from orchestration import figures, pools
from orchestration.figures.rows import row_counts
from orchestration.retries import retried
from outlay.db import session
from outlay.settings import settings


@asset(
    key=["silver", "fx_rates"],
    group_name="silver",
    kinds={"postgres"},
    owners=["team:data"],
    tags={"outlay/layer": "silver"},
    metadata={"dagster/table_name": "outlay.silver.fx_rates"},
    pool=pools.SILVER,
)
def fx_rates(context: AssetExecutionContext) -> MaterializeResult:
    """Rates against the euro, new and corrected ones, from the files of seeds/fx_rates; `outlay rates load` takes in
    others. One row a rate a batch: the newest counts.
    """
    here, began = settings(), time.monotonic()
    with retried(), session("pipeline", autocommit=True) as connection:
        loaded = load_new_files(connection, here.lake, here.seeds / "fx_rates", run_id=context.run_id)
        seconds = time.monotonic() - began
        (row_count,) = row_counts(connection, [("silver", "fx_rates")]).values()
    return MaterializeResult(
        metadata=figures.metadata(
            rows_read=sum(each.rates for each in loaded),
            rows_written=sum(each.new + each.changed for each in loaded),
            row_count=row_count,
            batches=[each.batch_id for each in loaded],
            seconds=seconds,
        )
    )
