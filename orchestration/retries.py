"""Which failures are worth another try: a server that is just being restarted, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from dagster import RetryRequested

from ingestion.codec import RegistryUnavailable
from ingestion.landing import Busy, Fenced, LogUnavailable
from outlay.ledger.errors import KafkaUnavailable
from outlay.stack.errors import NotReady

TRANSIENT = (psycopg.OperationalError, RegistryUnavailable, LogUnavailable, KafkaUnavailable, Busy, Fenced, NotReady)
ATTEMPTS, PAUSE = 4, 5
"""Tries after the first, and seconds before each."""

_FORGOTTEN = ("INVALID_HANDLE.", "RESPONSE_ALREADY_RECEIVED", "NO_ACTIVE_SESSION")
"""How the conditions begin that pyspark raises when a Connect server knows nothing of a session, and from then on."""


@contextmanager
def retried() -> Iterator[None]:
    """Ask Dagster to run the step again when the block fails for want of a server. Every step is safe to run again."""
    try:
        yield
    except Exception as error:
        if not is_transient(error):
            raise
        raise RetryRequested(max_retries=ATTEMPTS, seconds_to_wait=PAUSE) from error


def is_transient(error: Exception) -> bool:
    """Whether the same step may succeed when the server that it needs is back."""
    return isinstance(error, TRANSIENT) or _spark_left(error)


def _spark_left(error: Exception) -> bool:
    """Whether a Connect server does not answer any more, or is another than the one that the session was of."""
    from grpc import StatusCode
    from pyspark.errors import PySparkException
    from pyspark.errors.exceptions.connect import SparkConnectGrpcException

    if not isinstance(error, PySparkException):
        return False
    if (error.getCondition() or "").startswith(_FORGOTTEN):
        return True
    return isinstance(error, SparkConnectGrpcException) and error.getGrpcStatusCode() is StatusCode.UNAVAILABLE
