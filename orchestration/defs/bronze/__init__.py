"""Topics of Kafka, and what has landed of them."""

from dagster import Definitions

from orchestration.defs.bronze.assets import bronze
from orchestration.defs.bronze.topics import topics

defs = Definitions(assets=[*topics, bronze])
