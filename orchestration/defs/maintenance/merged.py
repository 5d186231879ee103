"""Silver's Parquet, merged by day."""

import time
from typing import TYPE_CHECKING

from dagster import Failure, MaterializeResult, MetadataValue, TableRecord, asset

from orchestration.retries import retried
from outlay.db import session
from outlay.settings import settings

if TYPE_CHECKING:
    from orchestration.merging import Done


@asset(
    key=["silver", "merged_days"],
    deps=[["silver", "batches"]],
    group_name="maintenance",
    kinds={"parquet"},
    owners=["team:data"],
    tags={"outlay/layer": "silver"},
)
def merged_days() -> MaterializeResult:
    """The Parquet of each day that is over, in few files instead of some for each batch: the same rows in the same
    order, by the same manifest (silver.batches). What it replaced is removed a night later.
    """
    from orchestration.merging import merge  # Arrow: only a run needs it

    began = time.monotonic()
    with retried(), session("pipeline", autocommit=True) as connection:
        done = merge(connection, settings().lake)
    metadata = {**_metadata(done), "seconds": round(time.monotonic() - began, 3)}
    if done.refused:
        raise Failure("\n".join(done.refused), metadata=metadata, allow_retries=False)
    return MaterializeResult(metadata=metadata)


def _metadata(done: "Done") -> dict:
    names = ("batches", "files_before", "files_after", "bytes_before", "bytes_after", "rows")
    figures = {name: sum(getattr(day, name) for day in done.merged) for name in names}
    figures |= {"days": len(done.merged), "folders_removed": len(done.removed)}
    if done.merged:
        figures["merged"] = MetadataValue.table([_record(day) for day in done.merged])
    return figures


def _record(day: object) -> TableRecord:
    return TableRecord({name: value if isinstance(value, int) else str(value) for name, value in vars(day).items()})
