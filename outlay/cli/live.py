"""`outlay live`: the projector as a daemon."""

from __future__ import annotations

import logging
import signal
import threading

import click
import structlog

from outlay.cli import Failure
from outlay.settings import settings


@click.command()
def live() -> None:
    """Keep the live view up to date with the log, until SIGTERM or Ctrl+C. `outlay up` runs it.

    \b
    Example:
        outlay live
    """
    from ingestion.projection import ProjectionError, run

    chosen = settings()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[chosen.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(),
    )
    log = structlog.get_logger("outlay.live")
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    log.info("live starts", kafka=chosen.bootstrap, registry=chosen.registry)
    try:
        run(
            bootstrap=chosen.bootstrap,
            registry_url=chosen.registry,
            dsn=chosen.dsn("projector"),
            stop=stop,
        )
    except ProjectionError as error:
        log.error("live stops", error=str(error), kind=type(error).__name__)
        raise Failure(str(error)) from error
    log.info("live stopped")
