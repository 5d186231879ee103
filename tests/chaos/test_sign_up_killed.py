"""Kill -9 in the middle of a sign-up: whoever tries again has one account, one workspace, and each event once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from outlay.db import session
from tests.accounts import PASSWORD, forgive_attempts, open_installation
from tests.chaos.sign_up import ANOTHER_WAS_FIRST, POINTS, outbox_waits
from tests.support import PROJECT, until

pytestmark = [pytest.mark.chaos, pytest.mark.small, pytest.mark.timeout(300)]


@pytest.fixture
def visitor(stack):
    """Makes a visitor; before that, no relay of this process appends what the killed one is about to."""
    with open_installation() as api:
        forgive_attempts()
        yield lambda: TestClient(api)


def accounts_of(email: str) -> list:
    with session("auth") as connection:
        return connection.execute("SELECT user_id FROM auth.users WHERE email = %s", (email,)).fetchall()


def killed_at(point: str) -> str:
    """The address of somebody whose sign-up was killed there."""
    for _ in range(5):
        email = f"{uuid4().hex}@example.org"
        command = [sys.executable, "-m", "tests.chaos.sign_up", point, email, PASSWORD]
        done = subprocess.run(command, cwd=PROJECT, timeout=120, check=False, capture_output=True, text=True)
        if done.returncode != ANOTHER_WAS_FIRST:
            assert done.returncode == -signal.SIGKILL, done.stderr
            return email
    pytest.fail("the app's relay was first, five times")


@pytest.mark.parametrize("point", POINTS)
def test_a_sign_up_killed_at_this_point_makes_one_account_and_one_event_of_each_kind(visitor, point):
    email = killed_at(point)
    assert len(accounts_of(email)) == (0 if point == "stored" else 1)

    client = visitor()
    again = {"email": email, "password": PASSWORD, "name": "Anna"}
    assert client.post("/auth/sign-up", json=again).status_code == 202
    tokens = client.post("/auth/tokens", json={"email": email, "password": PASSWORD}).json()
    mine = {"Authorization": f"Bearer {tokens['access_token']}"}
    until(lambda: outbox_waits() == 0, what="the outbox is appended")
    until(lambda: client.get("/me", headers=mine).status_code == 200, what="the profile is in live")
    until(lambda: client.get("/workspaces", headers=mine).json(), what="the workspace is in live")
    [(user_id,)] = accounts_of(email)
    [home] = client.get("/workspaces", headers=mine).json()
    with session("owner") as connection:
        decided = connection.execute(
            "SELECT entity, decision FROM live.events WHERE actor_id = %s", (user_id,)
        ).fetchall()
    assert Counter(decided)["user", "duplicate"] == (point == "appended")
    assert Counter(decided) - Counter({("user", "duplicate"): 1}) == Counter(
        {("user", "accepted"): 1, ("membership", "accepted"): 1, ("workspace", "accepted"): 1}
    )
    assert home["role"] == "owner"
