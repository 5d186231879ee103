"""A step is tried again for want of a server, and for nothing else."""

import pytest
from dagster import RetryRequested
from grpc import StatusCode
from psycopg.errors import AdminShutdown, UniqueViolation
from pyspark.errors import AnalysisException, PySparkRuntimeError
from pyspark.errors.exceptions.connect import SparkConnectException, SparkConnectGrpcException

from ingestion.landing import Busy
from orchestration.retries import retried
from outlay.stack.errors import NotReady


@pytest.mark.parametrize(
    "error",
    [
        AdminShutdown("terminating connection due to administrator command"),
        NotReady("nobody answers at localhost:15002"),
        Busy("another landing has been running for 10 minutes"),
        SparkConnectGrpcException("failed to connect to all addresses", grpc_status_code=StatusCode.UNAVAILABLE),
        SparkConnectGrpcException(
            "Session not found.",
            errorClass="INVALID_HANDLE.SESSION_NOT_FOUND",
            messageParameters={"handle": "3"},
            grpc_status_code=StatusCode.INTERNAL,
        ),
        SparkConnectException(errorClass="NO_ACTIVE_SESSION", messageParameters={}),
        PySparkRuntimeError(
            errorClass="RESPONSE_ALREADY_RECEIVED",
            messageParameters={"error_type": "INVALID_HANDLE.SESSION_NOT_FOUND"},
        ),
    ],
    ids=lambda error: f"{type(error).__name__}-{str(error)[:24]}",
)
def test_a_server_that_is_away_or_has_forgotten_us_is_asked_again(error):
    with pytest.raises(RetryRequested) as raised, retried():
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        UniqueViolation("duplicate key"),
        AnalysisException("no such column", errorClass="UNRESOLVED_COLUMN", messageParameters={"objectName": "x"}),
        SparkConnectGrpcException("a bug", grpc_status_code=StatusCode.INTERNAL),
        SparkConnectException("Expected chunk index 0"),
        SparkConnectGrpcException("not yours", grpc_status_code=StatusCode.UNAUTHENTICATED),
        ValueError("not a date"),
    ],
    ids=lambda error: f"{type(error).__name__}-{str(error)[:12]}",
)
def test_what_can_never_succeed_fails_at_once_as_it_is(error):
    with pytest.raises(type(error)) as raised, retried():
        raise error
    assert raised.value is error
