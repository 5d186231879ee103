"""Changes as they come, over REST: server-sent events of a workspace's expenses, resumable where they broke off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated

import psycopg
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from outlay.api.caller import Shown, caller
from outlay.api.filters import Cursor
from outlay.api.listener import Listener
from outlay.api.place import CurrentWorkspace, Place, seen
from outlay.api.problems import Failed
from outlay.api.schemas import ExpenseOut
from outlay.ledger.queries import changes

router = APIRouter(prefix="/expenses", tags=["expenses"])

_LOOK = 15.0  # seconds after which it is asked again whether the reader may still read
_MOST = 100  # streams of one workspace in one process


@dataclass(frozen=True)
class Reader:
    """Somebody who follows a workspace from a cursor on."""

    place: Place
    cursor: str
    admitted: Callable[[], bool]
    """Whether they still are; the answer changes when a session ends, or a membership."""


def reader(
    request: Request,
    workspace: CurrentWorkspace,
    shown: Shown,
    last_event_id: Annotated[Cursor | None, Header(description="The `id` of the last event that you have.")] = None,
    cursor: Annotated[Cursor | None, Query(description="The same, where you cannot send headers.")] = None,
) -> Reader:
    """Who follows, and from where: from what comes next without a cursor."""
    listener: Listener = request.app.state.listener
    if listener.count(workspace.workspace_id) >= _MOST:
        raise Failed(HTTPStatus.TOO_MANY_REQUESTS, f"the workspace is followed {_MOST} times already: end some of them")
    start = last_event_id or cursor
    with workspace.session() as connection:
        if start:
            changes.check(connection, start)
        start = start or changes.now(connection)
    return Reader(workspace, start, partial(_admitted, request, shown, workspace))


def _admitted(request: Request, shown: Shown, workspace: Place) -> bool:
    try:
        seen(caller(request, shown), workspace.workspace_id)
    except Failed:
        return False
    return True


@router.get("/stream", response_class=EventSourceResponse)
async def follow(request: Request, asked: Annotated[Reader, Depends(reader)]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `ready`, then an `expense` for each that changes, as it is then. It ends with your session.

    Ask again with the last `id` as `Last-Event-ID`, and nothing is missed; what you have already may come again."""
    listener: Listener = request.app.state.listener
    cursor = asked.cursor
    with listener.waiting(asked.place.workspace_id) as changed, suppress(psycopg.OperationalError, changes.CursorGone):
        yield ServerSentEvent(event="ready", id=cursor, data={})
        while await run_in_threadpool(asked.admitted):
            changed.clear()
            more = True
            while more:
                page = await run_in_threadpool(_page, asked.place, cursor)
                cursor, more = page.cursor, page.more
                for event in _events(page):
                    yield event
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _LOOK)


def _page(place: Place, cursor: str) -> changes.Changed:
    with place.session() as connection:
        return changes.since(connection, cursor)


def _events(page: changes.Changed) -> list[ServerSentEvent]:
    """Only the last has the id: whoever breaks off before it gets the page again."""
    shown = [ExpenseOut.model_validate(expense).model_dump(mode="json") for expense in page.expenses]
    ids = [None] * (len(shown) - 1) + [page.cursor]
    return [ServerSentEvent(event="expense", id=id, data=data) for id, data in zip(ids, shown, strict=False)]
