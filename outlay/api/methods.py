"""Which methods a path takes: 405 with all of them for any other, as RFC 9110 has it."""

from __future__ import annotations

import re
from functools import cached_property

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path, get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from outlay.api import problems


def install(api: FastAPI) -> None:
    api.add_middleware(_Methods, api=api)


class _Methods:
    """Starlette would name those of one route where a path has several, and take `/expenses/bulk` for a transaction."""

    def __init__(self, app: ASGIApp, api: FastAPI):
        self._app, self._api = app, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            allowed = self._allowed(get_route_path(scope))
            if allowed and scope["method"] not in allowed:
                message = f"expected {' or '.join(allowed)}, got {scope['method']}"
                return await problems.answer(405, message, headers={"Allow": ", ".join(allowed)})(scope, receive, send)
        await self._app(scope, receive, send)

    def _allowed(self, path: str) -> list[str]:
        if path in self._named:
            return self._named[path]
        return next((methods for pattern, methods in self._patterns if pattern.fullmatch(path)), [])

    @cached_property
    def _of_paths(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for route in iter_route_contexts(self._api.routes):
            known = found.setdefault(route.path, [])
            known[:] = sorted({*known, *route.methods})
        return found

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        return {path: methods for path, methods in self._of_paths.items() if "{" not in path}

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], list[str]]]:
        return [(compile_path(path)[0], methods) for path, methods in self._of_paths.items() if "{" in path]
