"""What is made again when it is asked for, by day."""

from dagster import Definitions

from orchestration.defs.backfill.days import backfilled_days

defs = Definitions(assets=[backfilled_days])
