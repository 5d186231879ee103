"""A list of expenses as a file, over REST."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from anyio import CancelScope
from fastapi import APIRouter, Query
from psycopg import IsolationLevel
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import StreamingResponse

from outlay.api.filters import AskedFile
from outlay.api.place import CurrentWorkspace, Place
from outlay.api.problems import Failed
from outlay.ledger import exports

_AT_ONCE = 4  # files made by one process: each holds a session of the database
_LONGEST = "10min"  # until one is broken off: a reader that does not read holds back what cleans the tables
_places = threading.BoundedSemaphore(_AT_ONCE)

router = APIRouter(prefix="/expenses", tags=["expenses"])


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {media.partition(";")[0]: {} for media in exports.MEDIA_TYPES.values()}}},
)
def export(workspace: CurrentWorkspace, asked: Annotated[AskedFile, Query()]) -> StreamingResponse:
    """All that the filters leave as a file, a row for each part of an expense, written while it is read."""
    if not _places.acquire(blocking=False):
        detail = f"{_AT_ONCE} files are being made already: try again in a moment"
        raise Failed(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "5"})
    content = _content(workspace, asked)
    first = next(content)  # what goes wrong goes wrong before the answer begins
    return StreamingResponse(
        _closing(first, content),
        media_type=exports.MEDIA_TYPES[asked.format],
        headers={"Content-Disposition": f'attachment; filename="expenses.{asked.format}"'},
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
    with _place_given_back(), workspace.session() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT set_config('transaction_timeout', %s, true)", (_LONGEST,))
        parts = exports.rows(connection, asked.filter(connection), asked.sort)
        yield from exports.WRITERS[asked.format](parts)


@contextmanager
def _place_given_back() -> Iterator[None]:
    try:
        yield
    finally:
        _places.release()
