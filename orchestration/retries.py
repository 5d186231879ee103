"""Which failures are worth another try: a server that is just being restarted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from dagster import RetryRequested

from ingestion.codec import RegistryUnavailable
from ingestion.landing import Fenced, LogUnavailable

TRANSIENT = (psycopg.OperationalError, RegistryUnavailable, LogUnavailable, Fenced)
ATTEMPTS, PAUSE = 4, 5
"""Tries after the first, and seconds before each."""


@contextmanager
def retried() -> Iterator[None]:
    """Ask Dagster to run the step again when the block fails for want of a server. Every step is safe to run again."""
    try:
        yield
    except TRANSIENT as error:
        raise RetryRequested(max_retries=ATTEMPTS, seconds_to_wait=PAUSE) from error
