"""What the checks found, as Great Expectations' pages, and what the builds cost, as a chart."""

from dagster import Definitions

from orchestration.defs.quality.builds import builds
from orchestration.defs.quality.docs import data_docs

defs = Definitions(assets=[data_docs, builds])
