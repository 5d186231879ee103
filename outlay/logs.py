"""The logs of the daemons: a line of JSON for each thing that happened, with the correlation id of its request."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

_COMMON: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str) -> None:
    """Write what structlog is told.

    Args:
        level: such as "INFO"; what is below it is left out.
    """
    structlog.configure(
        processors=[*_COMMON, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(),
    )


def adopt(*names: str, redact: logging.Filter) -> None:
    """Write what libraries tell the standard library's loggers of these names in the same way.

    Args:
        redact: takes out of each record what no log may hold.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(redact)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_COMMON, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
