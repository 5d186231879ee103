"""A list of expenses as a file, over REST."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from anyio import CancelScope, move_on_after
from fastapi import APIRouter, Query
from psycopg import IsolationLevel
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from outlay.api.contract import problems
from outlay.api.filters import AskedFile
from outlay.api.place import CurrentWorkspace, Place
from outlay.api.problems import Failed
from outlay.ledger import exports

_OF_ALL, _OF_ONE = 8, 2  # files that a process makes at once, and those of one workspace: each holds a session
_LONGEST = 600  # seconds until one is broken off: a reader that does not read holds back what cleans the tables

_lock = threading.Lock()
_made: Counter[UUID] = Counter()

router = APIRouter(prefix="/expenses", tags=["expenses"])


class File(StreamingResponse):
    """Broken off after a while, and closed however it ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with move_on_after(_LONGEST):
                await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await self.body_iterator.aclose()


@router.get(
    "/export",
    response_class=File,
    responses={200: {"content": {media.partition(";")[0]: {} for media in exports.MEDIA_TYPES.values()}}}
    | problems({429: "other files are being made"}),
)
def export(workspace: CurrentWorkspace, asked: Annotated[AskedFile, Query()]) -> File:
    """All that the filters leave as a file, a row for each part of an expense, written while it is read.

    After ten minutes it is broken off."""
    content = _content(workspace, asked)
    first = next(content)  # what goes wrong goes wrong before the answer begins
    name = f'attachment; filename="expenses.{asked.format}"'
    return File(
        _closing(first, content),
        media_type=exports.MEDIA_TYPES[asked.format],
        headers={"Content-Disposition": name, "Cache-Control": "no-store"},
    )


async def _closing(first: bytes, content: Generator[bytes]) -> AsyncIterator[bytes]:
    """All of it, closed also when nobody reads on."""
    try:
        yield first
        async for part in iterate_in_threadpool(content):
            yield part
    finally:
        with CancelScope(shield=True):
            await run_in_threadpool(content.close)


def _content(workspace: Place, asked: AskedFile) -> Generator[bytes]:
    with _counted(workspace.workspace_id), workspace.session() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT set_config('transaction_timeout', %s, true)", (f"{_LONGEST + 30}s",))
        parts = exports.rows(connection, asked.filter(connection), asked.sort)
        yield from exports.WRITERS[asked.format](parts)


@contextmanager
def _counted(workspace_id: UUID) -> Iterator[None]:
    with _lock:
        if _made.total() >= _OF_ALL or _made[workspace_id] >= _OF_ONE:
            detail = "other files are being made: try again in a moment"
            raise Failed(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "5"})
        _made[workspace_id] += 1
    try:
        yield
    finally:
        with _lock:
            _made[workspace_id] -= 1
