"""Errors of the API as problem details (RFC 9457): ``application/problem+json`` with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from ingestion.landing.errors import LakeUnavailable
from outlay import correlation
from outlay.accounts.addresses import NotAnAddress
from outlay.accounts.errors import (
    NotAdmitted,
    NotConfirmed,
    ProfileBehind,
    SignUpClosed,
    TooManyAttempts,
    WeakPassword,
)
from outlay.ledger.commands import Answer, KafkaUnavailable, LiveStalled, NotAllowed, NotFound, Refused, Taken
from outlay.ledger.members import LastOwner, NoSuchMember
from outlay.ledger.queries import NotBuilt
from outlay.ledger.queries.changes import CursorGone
from outlay.ledger.queries.cursors import BadCursor
from outlay.money import NotMoney
from outlay.settings import NotConfigured

_log = structlog.get_logger("outlay.api")


class Failed(Exception):
    """A request that is answered with a problem. `errors` holds one {field, message} for each value at fault."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, errors: Iterable[Mapping[str, Any]] = (), headers: dict | None = None
    ):
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, list(errors), headers


def decided(answer: Answer) -> None:
    """Answer a change that counted with what comes after it, and another one with why it does not."""
    if answer.decision == "stale":
        raise Failed(HTTPStatus.CONFLICT, "somebody changed it at this moment: read it again")
    if answer.decision == "pending":
        raise Failed(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "it is recorded, and the live view has not read it yet: look again in a moment",
            headers={"Retry-After": "5"},
        )


def said(errors: Iterable[Mapping[str, Any]]) -> str:
    """Values at fault, {field, message} each, in one line."""
    return "; ".join(f"{error['field']}: {error['message']}" for error in errors)


def answer(
    status: int, detail: str, errors: list | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    if (request := correlation.current()) is not None:
        body["correlation_id"] = request
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status_code=status, headers=kept, media_type="application/problem+json")


def install(api: FastAPI) -> None:
    """Give every expected failure its status; unexpected ones keep their traceback in the log and answer 500."""

    @api.exception_handler(Failed)
    def failed(_: Request, error: Failed) -> JSONResponse:
        return answer(error.status, error.detail, error.errors, error.headers)

    @api.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, error.detail, headers=error.headers)

    @api.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"field": ".".join(map(str, e["loc"][1:])) or e["loc"][0], "message": e["msg"]} for e in error.errors()
        ]
        return answer(422, said(errors), errors)

    @api.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> JSONResponse:
        errors = [{"field": p.field, "rule": p.rule, "message": p.message} for p in error.problems]
        return answer(409 if isinstance(error, Taken) else 422, said(errors), errors)

    @api.exception_handler(NotFound)
    def not_found(_: Request, error: NotFound) -> JSONResponse:
        return answer(404, str(error))

    @api.exception_handler(LiveStalled)
    def stalled(_: Request, error: LiveStalled) -> JSONResponse:
        return answer(503, str(error), headers={"Retry-After": "5"})

    @api.exception_handler(NoSuchMember)
    def no_member(_: Request, error: NoSuchMember) -> JSONResponse:
        return answer(404, str(error))

    @api.exception_handler(LastOwner)
    def last_owner(_: Request, error: LastOwner) -> JSONResponse:
        return answer(409, str(error))

    @api.exception_handler(BadCursor)
    def cursor(_: Request, error: BadCursor) -> JSONResponse:
        return answer(400, str(error), [{"field": "cursor", "message": str(error)}])

    @api.exception_handler(CursorGone)
    def gone(_: Request, error: CursorGone) -> JSONResponse:
        return answer(410, str(error))

    @api.exception_handler(NotMoney)
    def money(_: Request, error: NotMoney) -> JSONResponse:
        return answer(422, str(error), [{"field": "currency", "message": str(error)}])

    @api.exception_handler(NotBuilt)
    def not_built(_: Request, error: NotBuilt) -> JSONResponse:
        return answer(409, str(error))

    @api.exception_handler(KafkaUnavailable)
    def no_kafka(_: Request, error: KafkaUnavailable) -> JSONResponse:
        return answer(503, str(error), headers={"Retry-After": "5"})

    @api.exception_handler(LakeUnavailable)
    def no_lake(_: Request, error: LakeUnavailable) -> JSONResponse:
        _log.error("the lake does not answer", error=str(error))
        return answer(503, "the lake does not answer: nothing was changed", headers={"Retry-After": "5"})

    @api.exception_handler(NotAdmitted)
    def not_admitted(_: Request, error: NotAdmitted) -> JSONResponse:
        return answer(401, str(error), headers={"WWW-Authenticate": "Bearer"})

    @api.exception_handler(NotAllowed)
    @api.exception_handler(NotConfirmed)
    @api.exception_handler(SignUpClosed)
    def not_allowed(_: Request, error: Exception) -> JSONResponse:
        return answer(403, str(error))

    @api.exception_handler(TooManyAttempts)
    def too_many(_: Request, error: TooManyAttempts) -> JSONResponse:
        return answer(429, str(error), headers={"Retry-After": str(error.retry_after)})

    @api.exception_handler(WeakPassword)
    def weak(_: Request, error: WeakPassword) -> JSONResponse:
        return answer(422, str(error), [{"field": "password", "message": str(error)}])

    @api.exception_handler(NotAnAddress)
    def no_address(_: Request, error: NotAnAddress) -> JSONResponse:
        return answer(422, str(error), [{"field": "email", "message": str(error)}])

    @api.exception_handler(ProfileBehind)
    def behind(_: Request, error: ProfileBehind) -> JSONResponse:
        return answer(503, str(error), headers={"Retry-After": "1"})

    @api.exception_handler(psycopg.OperationalError)
    def no_database(_: Request, error: psycopg.OperationalError) -> JSONResponse:
        return answer(503, "the database does not answer: see `outlay status`", headers={"Retry-After": "5"})

    @api.exception_handler(NotConfigured)
    def not_configured(_: Request, error: NotConfigured) -> JSONResponse:
        return answer(503, str(error))
