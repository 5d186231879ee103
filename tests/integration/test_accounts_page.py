"""What the page on accounts tells to send is taken, in its order, by the API; what it tells to run is there."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from outlay.cli.accounts import accounts as verb
from tests.accounts import forgive_attempts, open_installation
from tests.support import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.small]

PAGE = (PROJECT / "docs/accounts.md").read_text()


@pytest.fixture
def visitor(stack):
    with open_installation() as api:
        forgive_attempts()
        yield TestClient(api)


def sent(visitor: TestClient, command: str, known: dict[str, str]) -> Response:
    """What `curl` would do: the address, `-H` and `--json`; what the page leaves out is put in."""
    for name, value in known.items():
        command = command.replace(name, value)
    words = shlex.split(command, comments=True)
    assert words[:2] == ["curl", "-s"]
    path, options = words[2].removeprefix("$api"), words[3:]
    headers = dict(value.split(": ", 1) for at, value in pairwise(options) if at == "-H")
    bodies = [json.loads(value) for at, value in pairwise(options) if at == "--json"]
    answer = visitor.request("POST" if bodies else "GET", path, headers=headers, json=bodies[0] if bodies else None)
    assert answer.is_success, f"{command}: {answer.text}"
    return answer


def test_the_page_leads_from_an_address_to_a_guest_in_a_workspace(visitor):
    commands = re.findall(r"^\$ (curl .*)$", PAGE, re.M)
    sign_up, log_in, workspaces, invite, accept, members = commands
    anna = {"anna@example.org": f"{uuid4().hex}@example.org"}
    sent(visitor, sign_up, anna)
    token = sent(visitor, log_in, anna).json()["access_token"]
    [home] = sent(visitor, workspaces, {"eyJ…": token}).json()
    mine = {"$mine": f"Authorization: Bearer {token}", "$here": f"X-Outlay-Workspace: {home['workspace_id']}"}
    made = sent(visitor, invite, mine).json()

    guest = {"anna@example.org": f"{uuid4().hex}@example.org", "Anna": "Bert"}
    sent(visitor, sign_up, guest)
    theirs = f"Authorization: Bearer {sent(visitor, log_in, guest).json()['access_token']}"
    sent(visitor, accept, {"$theirs": theirs, "outlay_invitation_…": made["code"]})
    assert [member["name"] for member in sent(visitor, members, mine).json()] == ["Anna", "Bert"]


def test_every_verb_of_the_page_is_one():
    told = set(re.findall(r"outlay accounts ([a-z-]+)", PAGE))
    assert len(told) >= 6
    assert told - set(verb.commands) == set()
