"""The REST API: thin over the ledger's commands and the named queries."""

from __future__ import annotations

from typing import Literal

from fastapi import Depends, FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from pydantic import BaseModel
from starlette.responses import HTMLResponse, PlainTextResponse

from outlay.api import (
    analytics,
    attachments,
    auth,
    categories,
    contract,
    expenses,
    export,
    financial_accounts,
    history,
    limits,
    me,
    members,
    methods,
    problems,
    recording,
    reference,
    requests,
    stream,
    totals,
    workspaces,
)
from outlay.api.caller import operator
from outlay.api.listener import Listener
from outlay.db import session
from outlay.settings import settings
from outlay.stack.metrics import ServicesCollector


class Health(BaseModel):
    status: Literal["ok"]


def create() -> FastAPI:
    """The API as an ASGI application, to be mounted at ``/api``."""
    api = FastAPI(
        title="Outlay",
        summary="Record, list and change expenses.",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        form_limits=limits.FORM,
        generate_unique_id_function=lambda route: route.name,
    )
    limits.install(api)
    methods.install(api)
    api.add_middleware(requests.Requests)
    problems.install(api)
    api.state.listener = Listener()
    of_people = (auth, me, workspaces, members)
    of_expenses = (recording, history, attachments, export, stream, expenses)  # the last takes any id
    for part in (*of_people, financial_accounts, categories, *of_expenses, totals, analytics):
        api.include_router(part.router)

    @api.get("/health", tags=["health"])
    def health() -> Health:
        """Whether this process and its database answer. Needs no key, tells nothing else."""
        with session("app") as connection:
            connection.execute("SELECT 1")
        return Health(status="ok")

    services = CollectorRegistry()
    services.register(ServicesCollector(settings().home))
    ProcessCollector(registry=services)

    @api.get("/metrics", tags=["health"], dependencies=[Depends(operator)], response_class=PlainTextResponse)
    def metrics() -> PlainTextResponse:
        """What this process and the embedded servers use, for Prometheus."""
        return PlainTextResponse(generate_latest(services), media_type=CONTENT_TYPE_LATEST)

    @api.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(reference.page(api.openapi()))

    contract.install(api)
    return api
