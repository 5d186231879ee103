"""What the assets use, made when a run starts and not when definitions are loaded."""

from __future__ import annotations

from typing import Any

from dagster import ResourceDefinition
from dagster_pyspark import LazyPySparkResource

from outlay.settings import Settings, settings
from outlay.stack import jars

SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.avro.datetimeRebaseModeInRead": "CORRECTED",
    # Inferring constraints from the rules' long expressions takes longer than a small batch, and gigabytes at worst.
    "spark.sql.constraintPropagation.enabled": "false",
}
"""What every Spark session of silver has, wherever it runs."""


def spark_config(here: Settings) -> dict[str, Any]:
    """How a Spark session is made: on a Connect server (``sc://``), or on a master."""
    if here.spark.startswith("sc://"):
        return {"spark.remote": here.spark, **SESSION}
    avro = ",".join(str(path) for path in jars.paths("spark", here.cache))
    return {
        "spark.master": here.spark,
        "spark.app.name": "outlay",
        "spark.jars": avro,
        "spark.ui.enabled": "false",
        **SESSION,
    }


def spark() -> ResourceDefinition:
    """Dagster's Spark resource. Its session starts when an asset first asks for it: without work, never."""
    return ResourceDefinition(
        lambda _: LazyPySparkResource(spark_config=spark_config(settings())),
        description="Spark of this installation: OUTLAY_SPARK_REMOTE, or the embedded Connect server.",
    )


def resources() -> dict[str, ResourceDefinition]:
    return {"spark": spark()}
