"""Receipts over the API: kept by their hash, read back as sent, by nobody else, and never run by a browser."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from httpx import Response

from ingestion import events
from ingestion.landing import store
from outlay import uploads
from outlay.api import process
from outlay.settings import Settings
from tests.api import Household, household
from tests.pictures import unlike

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


def attach(house: Household, at: str, version: int, content: bytes, name: str = "r.png", **headers: str) -> Response:
    given = {"If-Match": f'"{version}"'} | headers
    return house.client.post(f"/expenses/{at}/attachments", files={"file": (name, content)}, headers=given)


def kept(stack: Settings, house: Household, content: bytes) -> Path:
    return Path(stack.lake) / "attachments" / str(house.workspace.workspace_id) / hashlib.sha256(content).hexdigest()


def test_a_receipt_is_read_back_as_it_was_sent(house, stack):
    at, content = house.record()["transaction_id"], unlike()
    answer = attach(house, at, 1, content, "../Kassenbon März.png")
    assert (answer.status_code, answer.json()["decision"], answer.headers["etag"]) == (201, "accepted", '"2"')
    expense = house.read(at)
    [found] = expense["attachments"]
    assert (found["name"], found["media_type"]) == ("Kassenbon März.png", "image/png")
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert expense["receipt_url"] == f"/api/expenses/{at}/attachments/{found['attachment_id']}"
    assert answer.headers["location"] == expense["receipt_url"]
    read = house.client.get(expense["receipt_url"].removeprefix("/api"))
    assert (read.content, read.headers["content-type"]) == (content, "image/png")
    assert read.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in read.headers["content-security-policy"]
    assert read.headers["content-disposition"] == "inline; filename*=UTF-8''Kassenbon%20M%C3%A4rz.png"
    assert kept(stack, house, content).read_bytes() == content
    with_receipt = house.client.get("/expenses", params={"has_attachment": True}).json()["expenses"]
    assert at in {each["transaction_id"] for each in with_receipt}


def test_a_pdf_is_for_saving_and_an_expense_has_several(house):
    at = house.record()["transaction_id"]
    assert attach(house, at, 1, unlike()).status_code == 201
    assert attach(house, at, 2, b"%PDF-1.7 " + uuid4().bytes, "bill.exe").status_code == 201
    first, second = house.read(at)["attachments"]
    assert house.read(at)["receipt_url"].endswith(first["attachment_id"])
    read = house.client.get(f"/expenses/{at}/attachments/{second['attachment_id']}")
    assert read.headers["content-disposition"] == "attachment; filename*=UTF-8''bill.exe.pdf"
    assert read.headers["content-type"] == "application/pdf"


def test_sent_again_it_is_the_same_one(house):
    at, content, key = house.record()["transaction_id"], unlike(), {"Idempotency-Key": str(uuid4())}
    first, again = (attach(house, at, 1, content, **key) for _ in range(2))
    assert (first.status_code, first.json()) == (201, again.json())
    assert attach(house, at, 1, unlike(), **key).status_code == 412, "another file is another event, and none is lost"
    other = attach(house, at, 2, content)
    assert (other.status_code, other.json()["errors"][0]["rule"]) == (422, "once")
    late = attach(house, at, 1, unlike())
    assert (late.status_code, late.headers["etag"]) == (412, '"2"')
    assert house.read(at)["version"] == 2


def test_an_attachment_taken_off_comes_back_with_its_version(house, stack):
    at, content = house.record()["transaction_id"], unlike()
    attach(house, at, 1, content)
    where = f"/expenses/{at}/attachments/{house.read(at)['attachments'][0]['attachment_id']}"
    assert house.client.delete(where).status_code == 428
    assert house.client.delete(where, headers={"If-Match": '"2"'}).status_code == 200
    assert (house.read(at)["attachments"], house.read(at)["receipt_url"]) == ([], None)
    assert house.client.get(where).status_code == 404
    assert house.client.delete(where, headers={"If-Match": '"3"'}).status_code == 422
    assert house.do("restore", at, 3, to_version=2).status_code == 200
    assert house.client.get(where).content == content


@pytest.mark.parametrize("content", [b"", b"<script>alert(1)</script>", b"PK\x03\x04" + bytes(50)])
def test_what_is_no_receipt_is_refused_and_nothing_is_kept(house, stack, content):
    at = house.record()["transaction_id"]
    answer = attach(house, at, 1, content, "receipt.png")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file"), answer.text
    assert house.read(at)["version"] == 1
    assert not kept(stack, house, content).exists()


@pytest.mark.parametrize("over", [1, 10_000_000])
def test_a_file_too_large_is_refused(house, over):
    at = house.record()["transaction_id"]
    answer = attach(house, at, 1, unlike().ljust(uploads.LARGEST + over))
    problem = (answer.status_code, answer.headers["content-type"])
    assert problem == (422 if over == 1 else 413, "application/problem+json"), answer.text
    assert house.read(at)["version"] == 1
    assert attach(house, at, 1, unlike().ljust(uploads.LARGEST)).status_code == 201


def test_a_request_that_does_not_say_how_large_it_is_ends_where_it_may(house):
    answer = house.client.post("/expenses", content=(bytes(1024**2) for _ in range(20)))
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize(
    "parts", [[("file", 1), ("file", 2)], [("file", 1), ("more", 2)], [("note", None), ("file", 1)]]
)
def test_one_file_and_nothing_else_is_taken(house, parts):
    at = house.record()["transaction_id"]
    files = [(name, ("r.png", unlike())) if number else (name, (None, "for lunch")) for name, number in parts]
    answer = house.client.post(f"/expenses/{at}/attachments", files=files, headers={"If-Match": '"1"'})
    assert answer.status_code == 400, answer.text
    assert house.read(at)["version"] == 1


def test_of_two_at_once_one_is_told_that_it_was_late(house):
    at = house.record()["transaction_id"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: attach(house, at, 1, unlike()).status_code, range(2)))
    assert sorted(answers) == [201, 412]
    assert len(house.read(at)["attachments"]) == 1


def test_without_a_lake_nothing_is_changed(house, monkeypatch, tmp_path):
    at = house.record()["transaction_id"]
    (tmp_path / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(Settings, "lake", str(tmp_path / "file"))
        answer = attach(house, at, 1, unlike())
    assert (answer.status_code, answer.json()["detail"]) == (503, "the lake does not answer: nothing was changed")
    assert house.read(at)["version"] == 1


def test_an_expense_has_at_most_twenty(house):
    at = house.record()["transaction_id"]
    for version in range(1, 21):
        assert attach(house, at, version, unlike()).status_code == 201
    answer = attach(house, at, 21, unlike())
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (422, "few")


def test_a_file_is_of_its_workspace_alone(house, stack):
    at, content = house.record()["transaction_id"], unlike()
    attach(house, at, 1, content)
    [found] = house.read(at)["attachments"]
    with household(stack) as other:
        assert other.client.get(f"/expenses/{at}/attachments/{found['attachment_id']}").status_code == 404
        assert attach(other, at, 2, content).status_code == 404
        assert not kept(stack, other, content).exists()
        transaction_id = uuid4()
        written(other, transaction_id, found | {"attachment_id": UUID(found["attachment_id"])})
        stolen = other.client.get(f"/expenses/{transaction_id}/attachments/{found['attachment_id']}")
        assert (stolen.status_code, content in stolen.content) == (500, False), "its hash is not enough"


def test_a_void_expense_takes_none(house):
    at = house.record()["transaction_id"]
    house.do("void", at, 1)
    assert attach(house, at, 2, unlike()).json()["errors"][0]["field"] == "operation"


def test_a_file_that_the_lake_has_lost_or_changed_is_told(house, stack):
    at, content = house.record()["transaction_id"], unlike()
    attach(house, at, 1, content)
    where = f"/expenses/{at}/attachments/{house.read(at)['attachments'][0]['attachment_id']}"
    kept(stack, house, content).write_bytes(content + b"!")
    assert house.client.get(where).status_code == 500
    kept(stack, house, content).unlink()
    assert house.client.get(where).status_code == 500


@pytest.mark.parametrize("sha256", ["../../../postgres/PG_VERSION", "0" * 63, "A" * 64])
def test_what_a_program_calls_a_hash_leads_nowhere(house, sha256, monkeypatch):
    """Who writes into the log directly names any file."""
    monkeypatch.setattr(store, "read", lambda *_: pytest.fail("it was looked for"))
    transaction_id, attachment_id = uuid4(), uuid4()
    named = {"attachment_id": attachment_id, "sha256": sha256, "media_type": "text/html", "name": "x"}
    written(house, transaction_id, named)
    assert house.client.get(f"/expenses/{transaction_id}/attachments/{attachment_id}").status_code == 500


def test_what_a_program_calls_a_page_is_served_as_bytes_to_save(house, stack):
    transaction_id, content = uuid4(), b"<script>alert(1)</script>"
    kept(stack, house, content).parent.mkdir(parents=True, exist_ok=True)
    kept(stack, house, content).write_bytes(content)
    named = {
        "attachment_id": uuid4(),
        "sha256": kept(stack, house, content).name,
        "media_type": "text/html",
        "name": None,
    }
    written(house, transaction_id, named)
    read = house.client.get(f"/expenses/{transaction_id}/attachments/{named['attachment_id']}")
    assert (read.content, read.headers["content-type"]) == (content, "application/octet-stream")
    assert read.headers["content-disposition"] == "attachment"


def written(house: Household, transaction_id: UUID, attachment: dict) -> None:
    """Put a transaction with this attachment into the log, as no command of the ledger would."""
    event = events.transaction(
        transaction_id=transaction_id,
        workspace_id=house.workspace.workspace_id,
        account_id=house.account.account_id,
        kind="expense",
        occurred_on=date(2026, 3, 14),
        amount=Decimal("1.0000"),
        currency="EUR",
        source="api",
        attachments=[attachment],
    )
    assert process.ledger().append("transaction", event, wait=30).decision == "accepted"
