"""Hearing of what live commits: one session of the database listens for all of a process that wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from outlay.db import notified

_CHANNEL = "outlay_live"
_PAUSE = 1.0  # seconds until a session that ended is opened anew


class Listener:
    """Wakes those who wait for a workspace. For one event loop; it listens while anybody waits."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, workspace_id: UUID) -> int:
        """How many wait for a workspace."""
        return len(self._waiting.get(workspace_id, ()))

    @contextmanager
    def waiting(self, workspace_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the workspace may have changed; whoever waits clears it, then looks."""
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
                        self._wake(UUID(json.loads(payload)["workspace_id"]))
            except psycopg.OperationalError:
                await asyncio.sleep(_PAUSE)

    def _wake(self, workspace_id: UUID) -> None:
        for event in self._waiting.get(workspace_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for workspace_id in self._waiting:
            self._wake(workspace_id)
