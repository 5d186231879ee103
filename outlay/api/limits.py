"""How large a request may be. What is over it is answered as any other problem, and not read."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay import uploads
from outlay.api import problems

LARGEST_BODY = uploads.LARGEST + 64 * 1024
"""Bytes: a file and what a form wraps around it. 500 expenses of the usual kind are a quarter of one MiB."""
FORM = {"max_files": 1, "max_fields": 0}


def install(api: FastAPI) -> None:
    """Bound the body of each request, whether or not it says beforehand how large it is."""
    api.add_middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY)
    api.add_middleware(_Declared)


class _Declared:
    """Answers a request that is too large by its own account. Starlette's limit would, in plain text."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lengths = [value for name, value in scope.get("headers", ()) if name == b"content-length"]
        if any(length.isdigit() and int(length[:20]) > LARGEST_BODY for length in lengths):
            message = f"expected a request of at most {LARGEST_BODY:,} bytes"
            return await problems.answer(413, message, headers={"Connection": "close"})(scope, receive, send)
        await self._app(scope, receive, send)
