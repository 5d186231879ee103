"""The API as tests of accounts use it: anybody may sign up, and nothing of another test is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ingestion import events
from outlay.accounts import attempts, audit
from outlay.api import app, process
from outlay.db import session
from outlay.settings import settings

PASSWORD, OTHER = "seven green bicycles", "eleven quiet harbours"


@contextmanager
def open_installation(**variables: str) -> Iterator[FastAPI]:
    """The API of a process that has these settings (``OUTLAY_*``) from its start on, and takes sign-ups."""
    process.close()
    patch = pytest.MonkeyPatch()
    for name, value in {"OUTLAY_SIGN_UP": "open", **variables}.items():
        patch.setenv(name, value)
    settings.cache_clear()
    try:
        yield app.create()
    finally:
        process.close()
        patch.undo()
        settings.cache_clear()


class Person:
    """Somebody with an account, and a program of theirs that is logged in."""

    def __init__(self, api: FastAPI, name: str = "Anna"):
        self.api, self.email, self.name = api, f"{uuid4().hex}@example.org", name
        self.visitor = TestClient(api)
        given = self.credentials | {"name": name, "time_zone": "Europe/Berlin"}
        answer = self.visitor.post("/auth/sign-up", json=given)
        assert answer.status_code == 202, answer.text
        self.tokens = self.log_in()
        self.user_id = UUID(jwt.decode(self.tokens["access_token"], options={"verify_signature": False})["sub"])

    @property
    def credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": PASSWORD}

    def log_in(self) -> dict:
        answer = self.visitor.post("/auth/tokens", json=self.credentials)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def client(self, token: str | None = None, **headers: str) -> TestClient:
        shown = token or self.tokens["access_token"]
        return TestClient(self.api, headers={"Authorization": f"Bearer {shown}"} | headers)

    def browser(self) -> TestClient:
        client = TestClient(self.api, headers={"sec-fetch-site": "same-origin", "user-agent": "a browser"})
        answer = client.post("/auth/login", json=self.credentials)
        assert answer.status_code == 200, answer.text
        return client

    def program(self, *scopes: str) -> TestClient:
        """A program with a personal token of theirs."""
        made = self.client().post("/auth/personal-tokens", json={"name": "A program", "scopes": list(scopes)})
        assert made.status_code == 201, made.text
        return self.client(made.json()["token"])

    def audited(self) -> list[str]:
        """What the audit log has of them, newest first."""
        with session("auth") as connection:
            return [entry["event"] for entry in audit.entries(connection, user_id=self.user_id)]


def make_member(workspace_id: UUID, user_id: UUID, role: str) -> None:
    """Let somebody into a workspace, by the event that says so."""
    event = events.entity(
        entity="membership",
        entity_id=events.derived_id(workspace_id, "membership", user_id),
        state={"user_id": user_id, "role": role},
        workspace_id=workspace_id,
        source="app",
    )
    assert process.ledger().append("user", event, wait=30).decision == "accepted"


def forgive_attempts() -> None:
    """Forget what was tried: all tests come from one place, which may try only so often."""
    with session("auth") as connection:
        attempts.forget_old(connection, before=datetime.now(UTC) + timedelta(days=1))
