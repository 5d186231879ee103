"""A program elsewhere works with the client alone, through whatever happens between it and the installation."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, get_type_hints
from uuid import UUID, uuid4

import httpx
import pytest

from outlay.api.filters import Asked
from outlay.api.schemas import Changes, LineIn, NewAccount, NewExpense
from outlay.client import Client, Problem, Unreachable, inputs
from tests.accounts import PASSWORD, Person, forgive_attempts, open_installation
from tests.api import served
from tests.pictures import picture

pytestmark = [pytest.mark.integration, pytest.mark.small]

MARCH = date(2026, 3, 14)


@pytest.fixture
def anna(stack) -> Iterator[tuple[str, Person]]:
    """The address of a running installation, and somebody with an account there."""
    with open_installation() as api:
        forgive_attempts()
        with served(api) as address:
            yield address, Person(api)


@pytest.fixture
def client(anna) -> Iterator[Client]:
    address, person = anna
    with Client.log_in(address, person.email, PASSWORD) as client:
        yield client


def bread(account_id: UUID, **fields: Any) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "occurred_on": MARCH,
        "amount": Decimal("4.50"),
        "currency": "EUR",
        "description": f"Bakery {uuid4()}",
    } | fields


class Line(httpx.BaseTransport):
    """The way to an installation, on which `happens` to each request what a test wants; None lets it pass."""

    def __init__(self, happens: Callable[[int, httpx.Request, Callable[[], httpx.Response]], httpx.Response | None]):
        self._http, self._happens, self.sent = httpx.HTTPTransport(), happens, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        answer = self._happens(self.sent, request, lambda: self._http.handle_request(request))
        return answer or self._http.handle_request(request)


def test_an_expense_is_recorded_changed_taken_back_and_read_with_its_history(client):
    card = client.open_account(name="Card", type="card", currency="EUR")
    assert client.accounts() == [card]
    given = bread(card.account_id, lines=[{"amount": Decimal("4.00")}, {"amount": Decimal("0.50"), "note": "tip"}])
    made = client.record(**given)
    client.amend(made.transaction_id, 1, note="with Bert", tags=["friends"])
    client.attach(made.transaction_id, 2, "r.png", picture("PNG"))
    client.void(made.transaction_id, 3)
    assert client.restore(made.transaction_id, 4, to_version=3).version == 5
    found = client.expense(made.transaction_id)
    assert (found.amount, found.occurred_on, found.note, found.tags) == (
        Decimal("4.5"),
        MARCH,
        "with Bert",
        ["friends"],
    )
    assert [(line.amount, line.note) for line in found.lines] == [(4, None), (Decimal("0.5"), "tip")]
    assert client.attachment(made.transaction_id, found.attachments[0].attachment_id) == picture("PNG")
    operations = [version.operation for version in client.history(made.transaction_id)]
    assert sorted(operations) == ["amended", "amended", "recorded", "restored", "voided"]
    with pytest.raises(Problem) as refused:
        client.amend(made.transaction_id, 1, note="late")
    assert (refused.value.status, refused.value.version) == (412, 5)


def test_many_are_recorded_listed_page_by_page_exported_and_kept_level(client):
    card = client.open_account(name="Card", type="card", currency="EUR")
    days = [date(2026, 3, 1 + n % 28) for n in range(1_100)]
    expenses = [bread(card.account_id, occurred_on=day, external_id=f"till {n}") for n, day in enumerate(days)]
    assert [each.inserted for each in client.record_many(expenses)] == [500, 500, 100]
    assert [each.already_there for each in client.record_many(expenses[:501])] == [500, 1]
    listed = list(client.expenses(sort="oldest", account=[card.account_id], first_day=MARCH, min_amount=Decimal(1)))
    assert [each.occurred_on for each in listed] == sorted(day for day in days if day >= MARCH)
    file = io.BytesIO()
    client.export(file, first_day=MARCH, sort="oldest")
    assert len(file.getvalue().splitlines()) == 1 + len(listed)
    pages = list(client.changes())
    assert {each.external_id for page in pages for each in page.expenses} == {f"till {n}" for n in range(1_100)}
    client.record(**bread(card.account_id, external_id="later"))
    [newer] = client.changes(pages[-1].cursor)
    assert [each.external_id for each in newer.expenses] == ["later"]
    [total] = client.totals(MARCH, MARCH, kind=["expense"])
    assert (total.month, total.amount, total.lines) == (date(2026, 3, 1), Decimal("4.5") * 1_101, 1_101)
    assert "food" in {category.category_id for category in client.categories()}


def test_an_answer_that_is_lost_is_asked_for_again_and_the_expense_is_one(anna, client):
    """Each call's first answer is lost on its way, after the installation has done what it was asked."""
    address, person = anna

    def lose_every_other(number: int, _: httpx.Request, ask: Callable[[], httpx.Response]) -> None:
        if number % 2:
            ask().read()
            raise httpx.ReadError("the line is cut")

    line = Line(lose_every_other)
    card = client.open_account(name="Card", type="card", currency="EUR")
    with Client(address, person.tokens["access_token"], workspace_id=client.workspace_id, transport=line) as shaky:
        made = [shaky.record(**bread(card.account_id)) for _ in range(5)]
        shaky.amend(made[0].transaction_id, 1, note="once")
        [outcome] = shaky.record_many([bread(card.account_id)])
    assert line.sent == 14
    assert (outcome.inserted + outcome.already_there, len(list(client.expenses()))) == (1, 6)
    assert client.expense(made[0].transaction_id).version == 2


def test_what_stands_between_is_waited_for_and_patience_ends(anna):
    address, person = anna

    def first(number: int, request: httpx.Request, _: object) -> httpx.Response | None:
        page = {"text": "<h1>Bad Gateway</h1>", "request": request}
        return httpx.Response(502, **page) if number <= 2 else None

    with Client(address, person.tokens["access_token"], transport=Line(first)) as client:
        assert len(client.workspaces()) == 1
    never = Line(lambda _, request, __: httpx.Response(503, headers={"Retry-After": "3600"}, request=request))
    with Client(address, person.tokens["access_token"], transport=never) as client:
        with pytest.raises(Problem, match="Service Unavailable"):
            client.workspaces()
        assert never.sent == 1, "an hour is more than it waits"
    nobody = Client("http://127.0.0.1:9/api", "none", patience=0.3)
    with nobody, pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        nobody.workspaces()


def test_an_access_token_that_is_spent_is_renewed(anna, monkeypatch):
    address, person = anna
    with Client.log_in(address, person.email, PASSWORD) as client:
        first = client._requests.tokens
        monkeypatch.setattr(client._requests, "tokens", type(first)("spent", first.refresh))
        assert len(client.workspaces()) == 1
        assert client._requests.tokens.refresh not in (None, first.refresh)
    with Client(address, "spent") as client, pytest.raises(Problem) as refused:
        client.workspaces()
    assert refused.value.status == 401


def test_a_refusal_says_which_value_is_at_fault_and_how_to_find_it_in_the_log(client):
    card = client.open_account(name="Card", type="card", currency="EUR")
    with pytest.raises(Problem, match="2 decimals") as refused:
        client.record(**bread(card.account_id, amount=Decimal("4.505")))
    assert (refused.value.status, [error["field"] for error in refused.value.errors]) == (422, ["amount"])
    assert UUID(refused.value.correlation_id)
    with pytest.raises(Problem) as refused:
        client.dashboard(MARCH)
    assert refused.value.status == 409, "nothing is built here"


def test_somebody_in_several_workspaces_says_which_one(anna, client):
    address, person = anna
    made = person.client().post("/workspaces", json={"name": "The office", "currency": "USD", "time_zone": "UTC"})
    assert made.status_code == 201, made.text
    with Client(address, person.tokens["access_token"]) as lost, pytest.raises(ValueError, match="The office"):
        lost.accounts()
    office = UUID(made.json()["workspace_id"])
    with Client(address, person.tokens["access_token"], workspace_id=office) as there:
        assert there.accounts() == []


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        (inputs.NewExpense, NewExpense),
        (inputs.Changes, Changes),
        (inputs.Line, LineIn),
        (inputs.NewAccount, NewAccount),
        (inputs.Filter, Asked),
    ],
)
def test_a_call_takes_the_fields_that_the_api_takes(taken, given):
    assert get_type_hints(taken).keys() == given.model_fields.keys()
