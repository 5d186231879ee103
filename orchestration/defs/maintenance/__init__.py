"""What is done at night, so that what builds leave stays cheap to read."""

from dagster import Definitions

from orchestration.defs.maintenance.merged import merged_days

defs = Definitions(assets=[merged_days])
