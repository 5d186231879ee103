"""What people and sensors run."""

from dagster import AssetSelection, define_asset_job

BUILDS = {"outlay/build": "true"}
"""Tags of each run of a build, whoever starts it: nothing has to follow what it made."""

_WAREHOUSE = AssetSelection.groups("bronze", "silver", "reference", "staging", "intermediate", "gold")

build_job = define_asset_job(
    "build",
    selection=_WAREHOUSE,
    tags=BUILDS,
    description="From the log to gold: lands what is new, brings silver and gold up to date with it, and checks them.",
)

land_job = define_asset_job(
    "land",
    selection=AssetSelection.groups("bronze"),
    description="From the log to bronze alone: lands what is new.",
)

data_docs_job = define_asset_job(
    "data_docs",
    selection=AssetSelection.groups("quality"),
    description="Great Expectations' pages of what the checks found, and a chart of what the last builds took.",
)

maintenance_job = define_asset_job(
    "maintenance",
    selection=AssetSelection.groups("maintenance"),
    description="What is done at night: silver's Parquet of the days that are over is merged.",
)

backfill_job = define_asset_job(
    "backfill",
    selection=AssetSelection.groups("backfill"),
    description="Silver of chosen days made again from bronze, in one run, and put in the place of what differs.",
)
