"""Great Expectations' pages, as an asset."""

from dagster import Definitions

from orchestration.defs.quality.docs import data_docs

defs = Definitions(assets=[data_docs])
