"""People are shown by small pictures, to themselves and to who shares a workspace with them, and to nobody else."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from PIL import Image

from outlay.ledger.workspaces import workspaces_of
from tests.accounts import Person, forgive_attempts, make_member, open_installation
from tests.pictures import picture

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def api(stack):
    with open_installation() as api:
        yield api


@pytest.fixture(autouse=True)
def attempts_forgiven(api):
    forgive_attempts()


@pytest.fixture
def anna(api):
    return Person(api)


def show(client: TestClient, content: bytes) -> Response:
    return client.put("/me/picture", files={"file": ("me.jpg", content)})


def test_a_picture_is_shown_small_and_by_its_kind(anna, stack):
    client = anna.client()
    assert client.get("/me/picture").status_code == 404
    answer = show(client, picture("JPEG", (640, 480)))
    assert (answer.status_code, answer.json()["version"], answer.json()["picture_url"]) == (200, 2, "/api/me/picture")
    read = client.get("/me/picture")
    assert (read.headers["content-type"], read.headers["x-content-type-options"]) == ("image/webp", "nosniff")
    assert read.headers["cache-control"] == "no-store"
    with Image.open(BytesIO(read.content)) as small:
        assert (small.format, small.size) == ("WEBP", (256, 256))
    [kept] = (Path(stack.lake) / "pictures" / str(anna.user_id)).iterdir()
    assert kept.read_bytes() == read.content
    assert anna.audited()[0] == "profile_changed"


def test_who_changes_their_name_keeps_their_picture(anna):
    client = anna.client()
    show(client, picture("PNG"))
    before = client.get("/me/picture").content
    assert client.patch("/me", json={"name": "Anna B."}).json()["picture_url"] is not None
    assert client.get("/me/picture").content == before
    assert client.patch("/me", json={"picture": "0" * 64}).status_code == 422, "a picture is not set by its hash"


def test_a_picture_is_taken_away_once(anna):
    client = anna.client()
    show(client, picture("PNG"))
    assert [client.delete("/me/picture").json()["version"] for _ in range(2)] == [3, 3]
    assert client.get("/me").json()["picture_url"] is None
    assert client.get("/me/picture").status_code == 404


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"<svg/>", picture("PNG")[:40]])
def test_what_is_no_picture_is_refused(anna, content):
    client = anna.client()
    answer = show(client, content)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file"), answer.text
    assert client.get("/me").json()["version"] == 1


def test_members_see_each_other_and_strangers_nobody(anna):
    [home] = workspaces_of(anna.user_id)
    here = {"X-Outlay-Workspace": str(home.workspace_id)}
    show(anna.client(), picture("PNG"))
    bob, eve = Person(anna.api, "Bob"), Person(anna.api, "Eve")
    make_member(home.workspace_id, bob.user_id, "viewer")
    where = f"/members/{anna.user_id}/picture"
    listed = {each["user_id"]: each["picture_url"] for each in bob.client(**here).get("/members").json()}
    assert listed == {str(anna.user_id): f"/api{where}", str(bob.user_id): None}
    assert bob.client(**here).get(where).content == anna.client().get("/me/picture").content
    assert bob.client(**here).get(f"/members/{bob.user_id}/picture").status_code == 404
    assert eve.client(**here).get(where).status_code == 404
    [hers] = workspaces_of(eve.user_id)
    assert eve.client(**{"X-Outlay-Workspace": str(hers.workspace_id)}).get(where).status_code == 404
    assert bob.client(**here).get(f"/members/{uuid4()}/picture").status_code == 404
