"""Changes as they come: in order, none missed over a break, none of another workspace, and no longer than allowed."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx
import pytest

from outlay.api import listener, process, stream
from outlay.db import session
from outlay.ledger.workspaces import ensure_account, ensure_workspace
from tests.accounts import Person, forgive_attempts, make_member, open_installation
from tests.api import Household, household, served
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small]

PATIENCE = 60  # seconds; a hang, no speed limit


@pytest.fixture(autouse=True)
def nobody_looks_by_themselves(monkeypatch):
    """What a follower is told, the listener has told it."""
    monkeypatch.setattr(stream, "_LOOK", 600.0)


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


@pytest.fixture(scope="module")
def address(house) -> Iterator[str]:
    with served(house.client.app) as address:
        yield address


@dataclass
class Follower:
    """Somebody who reads a stream in a thread of their own."""

    address: str
    headers: dict[str, str]
    events: queue.Queue = field(default_factory=queue.Queue)
    """(event, id, data), and None when it has ended."""
    status: int = 0
    _socket: socket.socket | None = None

    def __enter__(self) -> Follower:
        self._client = httpx.Client(timeout=httpx.Timeout(PATIENCE))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._client.close()

    def _read(self) -> None:
        try:
            with self._client.stream("GET", f"{self.address}/expenses/stream", headers=self.headers) as answer:
                self.status, one = answer.status_code, {}
                self._socket = answer.extensions["network_stream"].get_extra_info("socket")
                for line in answer.iter_lines():
                    name, colon, value = line.partition(": ")
                    if not line and one:
                        self.events.put((one.get("event"), one.get("id"), json.loads(one["data"])))
                        one = {}
                    elif colon and name:
                        one[name] = value
        except httpx.HTTPError:
            pass
        finally:
            self.events.put(None)

    def next(self) -> tuple[str, str | None, dict] | None:
        return self.events.get(timeout=PATIENCE)


def follow(house: Household, address: str, **headers: str) -> Follower:
    given = house.client.headers.copy()
    given.update(headers)
    return Follower(address, dict(given))


def test_each_change_comes_as_it_is_then_in_the_order_of_the_log(house, address):
    house.record()
    with follow(house, address) as follower:
        assert follower.next()[0] == "ready"
        first = house.record(house.draft(note="mine"))["transaction_id"]
        event, cursor, expense = follower.next()
        assert (event, expense["transaction_id"], expense["note"]) == ("expense", first, "mine"), "nothing of before"
        assert expense == house.read(first)
        assert cursor
        house.amend(first, 1, note="ours")
        assert follower.next()[2]["note"] == "ours"
        house.do("void", first, 2)
        assert follower.next()[2]["operation"] == "voided"


def test_after_a_break_it_goes_on_from_the_last_id(house, address):
    with follow(house, address) as follower:
        follower.next()
        seen = house.record()["transaction_id"]
        _, last, expense = follower.next()
        assert expense["transaction_id"] == seen
    missed = [house.record()["transaction_id"] for _ in range(3)]
    with follow(house, address, **{"Last-Event-ID": last}) as follower:
        assert follower.next()[0] == "ready"
        assert [follower.next()[2]["transaction_id"] for _ in missed] == missed


def test_many_together_come_all_and_only_the_last_has_the_id(house, address):
    with follow(house, address) as follower:
        follower.next()
        drafts = {"expenses": [house.draft() for _ in range(120)]}
        made = house.client.post("/expenses/bulk", json=drafts).json()["outcomes"]
        told, ids = [], []
        while len(set(told)) < 120:
            _, cursor, expense = follower.next()
            told.append(expense["transaction_id"])
            ids.append(cursor)
        assert told == [each["transaction_id"] for each in made]
        assert ids[-1], "one can go on from the end"


def test_nothing_of_another_workspace_comes(house, address):
    other = ensure_workspace(process.ledger(), name=f"Other {uuid4()}", currency="EUR")
    card = ensure_account(process.ledger(), other, name="Card", currency="EUR", type="card")
    there = {"X-Outlay-Workspace": str(other.workspace_id)}
    with follow(house, address) as here, follow(house, address, **there) as elsewhere:
        assert (here.next()[0], elsewhere.next()[0]) == ("ready", "ready")
        theirs = house.record(house.draft(account_id=str(card.account_id)), **there)["transaction_id"]
        mine = house.record()["transaction_id"]
        assert here.next()[2]["transaction_id"] == mine
        assert elsewhere.next()[2]["transaction_id"] == theirs


def test_a_session_of_the_database_that_ends_loses_no_change(house, address):
    with follow(house, address) as follower:
        follower.next()
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outlay-app-outlay_live'"

        def ended() -> list:
            with session("owner") as connection:  # a transaction each: within one the view stays as it was seen first
                return connection.execute(end).fetchall()

        assert until(ended, what="somebody listens") == [(True,)]
        made = house.record()["transaction_id"]
        assert follower.next()[2]["transaction_id"] == made


def test_nobody_listens_for_nobody(house, address):
    listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outlay-app-outlay_live'"

    def count() -> int:
        with session("owner") as connection:
            return connection.execute(listening).fetchone()[0]

    with follow(house, address) as one, follow(house, address) as two:
        one.next(), two.next()
        until(lambda: count() == 1, what="one session for both")
    until(lambda: count() == 0, what="the session has ended")


@pytest.mark.parametrize(("cursor", "status"), [("made up", 400), ("W1sibm8tc3VjaC1sb2ciLCAwLCA1XV0", 410)])
def test_a_cursor_of_nobody_and_one_of_another_log_are_answered_before_it_begins(house, address, cursor, status):
    with follow(house, address, **{"Last-Event-ID": cursor}) as follower:
        assert follower.next() is None
        assert follower.status == status


def test_too_many_are_told_to_end_some(house, address, monkeypatch):
    monkeypatch.setattr(listener, "OF_ONE", 1)
    until(lambda: not house.client.app.state.listener._waiting, what="those before have left")
    with follow(house, address) as first:
        assert first.next()[0] == "ready"
        with follow(house, address) as second:
            assert second.next() is None
            assert second.status == 429


def test_a_stream_ends_with_the_membership_and_with_the_session(stack, monkeypatch):
    monkeypatch.setattr(stream, "_LOOK", 0.2)
    with open_installation() as api, served(api) as address:
        forgive_attempts()
        owner, guest = Person(api, "Anna"), Person(api, "Bert")
        home = owner.client().get("/workspaces").json()[0]["workspace_id"]
        make_member(UUID(home), guest.user_id, "viewer")
        here = {"X-Outlay-Workspace": home}
        mine, theirs = ({**dict(who.client().headers), **here} for who in (owner, guest))
        with Follower(address, mine) as first, Follower(address, theirs) as second:
            assert (first.next()[0], second.next()[0]) == ("ready", "ready")
            assert owner.client(**here).delete(f"/members/{guest.user_id}").status_code == 204
            assert second.next() is None
            assert owner.client().post("/auth/logout").status_code == 204
            assert first.next() is None
