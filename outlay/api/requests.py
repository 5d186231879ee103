"""Each request has a correlation id: in its answer, in the events that it makes, and in a line of the log."""

from __future__ import annotations

import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import get_route_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay import correlation

HEADER = "X-Correlation-ID"
_QUIET = frozenset({"/health", "/metrics"})  # asked every few seconds by what watches the process

log = structlog.get_logger("outlay.api")


class Requests:
    """Outermost, so that it sees every answer."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, path, status = time.perf_counter(), get_route_path(scope), 500
        with correlation.bound(Headers(scope=scope).get(HEADER)) as correlation_id:

            async def answered(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    MutableHeaders(scope=message)[HEADER] = correlation_id
                await send(message)

            try:
                await self._app(scope, receive, answered)
            finally:
                took = round((time.perf_counter() - begun) * 1000, 1)
                tell = log.error if status >= 500 else log.debug if path in _QUIET else log.info
                tell("request", method=scope["method"], path=path, status=int(status), milliseconds=took)
