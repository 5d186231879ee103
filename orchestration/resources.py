"""What the assets use, made when a run starts and not when definitions are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dagster import InitResourceContext, ResourceDefinition

from outlay.settings import settings

if TYPE_CHECKING:
    from orchestration.spark import SparkResource


def spark() -> ResourceDefinition:
    """Spark for a run. Its session starts when an asset first asks for it: without work, never."""

    def opened(_: InitResourceContext) -> Iterator[SparkResource]:
        from orchestration.spark import SparkResource, spark_config

        resource = SparkResource(spark_config=spark_config(settings()))
        try:
            yield resource
        finally:
            resource.close()

    return ResourceDefinition(
        opened, description="Spark of this installation: OUTLAY_SPARK_REMOTE, or the embedded Connect server."
    )


def resources() -> dict[str, ResourceDefinition]:
    return {"spark": spark()}
