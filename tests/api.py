"""A workspace of its own, and the API as the operator's program uses it there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from outlay.api import app, process
from outlay.ledger.workspaces import Account, Workspace, ensure_account, ensure_workspace
from outlay.settings import Settings
from tests.support import free_port, until


@dataclass
class Household:
    workspace: Workspace
    account: Account
    client: TestClient

    def draft(self, **fields: Any) -> dict:
        """An expense like no other, to be recorded."""
        given = {
            "account_id": str(self.account.account_id),
            "occurred_on": "2026-03-14",
            "amount": "12.50",
            "currency": "EUR",
            "description": f"Bakery {uuid4()}",
        }
        return given | fields

    def record(self, draft: dict | None = None, **headers: str) -> dict:
        answer = self.client.post("/expenses", json=draft or self.draft(), headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def read(self, transaction_id: str) -> dict:
        answer = self.client.get(f"/expenses/{transaction_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def amend(self, transaction_id: str, version: int, **changes: Any) -> Response:
        where = f"/expenses/{transaction_id}"
        return self.client.patch(where, json=changes, headers={"If-Match": f'"{version}"'})

    def do(self, what: str, transaction_id: str, version: int, **query: Any) -> Response:
        """Void or restore it."""
        where = f"/expenses/{transaction_id}/{what}"
        return self.client.post(where, headers={"If-Match": f'"{version}"'}, params=query)


@contextmanager
def served(api: FastAPI, *, at: str = "/api") -> Iterator[str]:
    """The address of the API on a real server, which ends with it."""
    outer, port = FastAPI() if at else api, free_port()
    if at:
        outer.mount(at, api)
    server = uvicorn.Server(uvicorn.Config(outer, port=port, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, what="the API is served")
        yield f"http://127.0.0.1:{port}{at}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def household(stack: Settings) -> Iterator[Household]:
    """The API closes with it."""
    ledger = process.ledger()
    workspace = ensure_workspace(ledger, name=f"API {uuid4()}", currency="EUR", time_zone="Europe/Berlin")
    account = ensure_account(ledger, workspace, name="Card", currency="EUR", type="card")
    headers = {
        "Authorization": f"Bearer {stack.api_token.get_secret_value()}",
        "X-Outlay-Workspace": str(workspace.workspace_id),
    }
    yield Household(workspace, account, TestClient(app.create(), headers=headers))
    process.close()
