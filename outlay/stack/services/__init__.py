"""The servers, one module each: pure functions from settings to command lines, and the checks that they serve."""

from __future__ import annotations

from outlay.settings import Settings
from outlay.stack.services import dagster, kafka, own, postgres, registry, spark
from outlay.stack.spec import ServiceSpec


def specs(here: Settings) -> list[ServiceSpec]:
    """Every server of the system, in the order of their starts; the ports must have been chosen."""
    return [
        postgres.spec(here),
        kafka.spec(here),
        registry.spec(here),
        spark.spec(here),
        own.live(here),
        dagster.code(here),
        dagster.webserver(here),
        dagster.daemon(here),
        own.app(here),
    ]
