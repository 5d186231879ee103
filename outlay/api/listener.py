"""Hearing of what live commits: one session of the database listens for all of a process that wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import structlog

from outlay.db import notified

log = structlog.get_logger()

_CHANNEL = "outlay_live"
OF_ALL, OF_ONE = 400, 50  # that wait in one process, and of those for one workspace
_PAUSE = 1.0  # seconds until a session that ended is opened anew


class TooMany(Exception):
    """As many wait as may."""


class Listener:
    """Wakes those who wait for a workspace. For one event loop; it listens while anybody waits."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def waiting(self, workspace_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the workspace may have changed; whoever waits clears it, then looks.

        Raises:
            TooMany: as many wait as may.
        """
        if len(self._waiting.get(workspace_id, ())) >= OF_ONE or sum(map(len, self._waiting.values())) >= OF_ALL:
            raise TooMany
        event = asyncio.Event()
        self._waiting.setdefault(workspace_id, set()).add(event)
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name="listener")
        try:
            yield event
        finally:
            self._waiting[workspace_id].discard(event)
            if not self._waiting[workspace_id]:
                del self._waiting[workspace_id]
            if not self._waiting:
                self._task.cancel()
                self._task = None

    async def _listen(self) -> None:
        while True:
            try:
                async for payload in notified(_CHANNEL, "app"):
                    if payload is None:
                        self._wake_all()  # what came before nobody has told
                    else:
                        self._told(json.loads(payload))
            except psycopg.OperationalError:
                await asyncio.sleep(_PAUSE)
            except Exception:
                log.exception("listening failed")  # those who wait look by themselves now and then
                await asyncio.sleep(_PAUSE)

    def _told(self, notice: dict[str, Any]) -> None:
        if notice["topic"] == "transaction":
            self._wake(UUID(notice["workspace_id"]))

    def _wake(self, workspace_id: UUID) -> None:
        for event in self._waiting.get(workspace_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for workspace_id in self._waiting:
            self._wake(workspace_id)
