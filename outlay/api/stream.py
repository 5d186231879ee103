"""Changes as they come, over REST: server-sent events of a workspace's expenses, resumable where they broke off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

import psycopg
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from outlay.api.caller import Shown, caller
from outlay.api.contract import problems
from outlay.api.filters import Cursor
from outlay.api.listener import Listener, TooMany
from outlay.api.place import CurrentWorkspace, Place, seen
from outlay.api.problems import Failed
from outlay.api.schemas import ExpenseDetail
from outlay.ledger.queries import changes

router = APIRouter(prefix="/expenses", tags=["expenses"])

_LOOK = 15.0  # seconds after which it is asked again whether somebody may still follow, and for what nobody told
_GATHER = 0.2  # seconds between two looks: what comes meanwhile is told together


def start(
    workspace: CurrentWorkspace,
    last_event_id: Annotated[Cursor | None, Header(description="The `id` of the last event that you have.")] = None,
    cursor: Annotated[Cursor | None, Query(description="The same, as a parameter.")] = None,
) -> str:
    """From where somebody follows: from what comes next without a cursor."""
    given = last_event_id or cursor
    with workspace.session() as connection:
        if given:
            changes.check(connection, given)
        return given or changes.now(connection)


@dataclass(frozen=True)
class Follower:
    """Somebody who follows a workspace; `changed` is set when there may be something to tell."""

    request: Request
    shown: Shown
    place: Place
    start: str
    changed: asyncio.Event

    def is_admitted(self) -> bool:
        """Whether they still are: the answer changes when a token or a session ends, or a membership."""
        try:
            seen(caller(self.request, self.shown), self.place.workspace_id)
        except Failed:
            return False
        return True

    def page(self, cursor: str) -> tuple[list[ServerSentEvent], changes.Changed]:
        """What changed behind a cursor. Only the last has an id: whoever breaks off before it gets the page again."""
        with self.place.session() as connection:
            page = changes.since(connection, cursor)
        told = [ExpenseDetail.of(each, page.lines).model_dump_json() for each in page.expenses]
        ids = [*[None] * (len(told) - 1), page.cursor]
        events = [ServerSentEvent(event="expense", id=id, raw_data=data) for id, data in zip(ids, told, strict=False)]
        return events, page


async def follower(
    request: Request, workspace: CurrentWorkspace, shown: Shown, begin: Annotated[str, Depends(start)]
) -> AsyncIterator[Follower]:
    """Somebody who follows, until the answer has ended."""
    listener: Listener = request.app.state.listener
    try:
        with listener.waiting(workspace.workspace_id) as changed:
            yield Follower(request, shown, workspace, begin, changed)
    except TooMany:
        detail = "too many follow already: end one, or ask GET /api/expenses/changes now and then"
        raise Failed(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "60"}) from None


@router.get(
    "/stream",
    response_class=EventSourceResponse,
    responses=problems({410: "the cursor is of another log: read everything again", 429: "too many follow already"}),
)
async def follow(asked: Annotated[Follower, Depends(follower)]) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `ready`, then an `expense` for each that changes, as it is then. It ends with your token.

    Ask again with the last `id` as `Last-Event-ID`, and nothing is missed; what you have already may come again."""
    yield ServerSentEvent(event="ready", id=asked.start, data={})
    cursor, looked = asked.start, float("-inf")
    with suppress(psycopg.OperationalError, changes.CursorGone):
        while True:
            if time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                if not await run_in_threadpool(asked.is_admitted):
                    return
            asked.changed.clear()
            events, page = await run_in_threadpool(asked.page, cursor)
            for event in events:
                yield event
            cursor = page.cursor
            if not page.more:
                await asyncio.sleep(min(_GATHER, _LOOK))
                with suppress(TimeoutError):
                    await asyncio.wait_for(asked.changed.wait(), _LOOK)
