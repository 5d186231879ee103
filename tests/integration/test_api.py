"""The API against the real line: what it answers is what live holds, and a retry is the same event."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from outlay.api import app, process
from outlay.db import session
from outlay.ledger.workspaces import ensure_workspace
from tests.api import household

pytestmark = [pytest.mark.integration, pytest.mark.small]


@pytest.fixture(scope="module")
def house(stack):
    with household(stack) as house:
        yield house


@pytest.fixture(scope="module")
def home(house):
    return house.workspace, house.account


@pytest.fixture(scope="module")
def client(house):
    return house.client


@pytest.fixture
def draft(house):
    return house.draft()


def test_an_expense_is_in_live_when_it_is_answered_and_keeps_its_amount_to_the_digit(house, client, draft):
    lines = [{"amount": "10.00", "category_id": "food.groceries"}, {"amount": "2.50", "note": "a gift"}]
    answer = house.record(draft | {"tags": ["lunch"], "note": "with Anna", "external_id": "till 7", "lines": lines})
    assert answer["decision"] == "accepted"
    expense = house.read(answer["transaction_id"])
    assert {name: expense[name] for name in ("amount", "currency", "occurred_on", "note", "tags", "external_id")} == {
        "amount": "12.5000",
        "currency": "EUR",
        "occurred_on": "2026-03-14",
        "note": "with Anna",
        "tags": ["lunch"],
        "external_id": "till 7",
    }
    assert [(line["amount"], line["category_id"], line["note"]) for line in expense["lines"]] == [
        ("10.0000", "food.groceries", None),
        ("2.5000", None, "a gift"),
    ]


@pytest.mark.parametrize("how", ["Idempotency-Key", "event_id"])
def test_a_retry_is_the_same_event_and_another_content_under_it_is_refused(house, client, draft, how):
    key = str(uuid4())
    headers = {"Idempotency-Key": key} if how == "Idempotency-Key" else {}
    mine = draft if headers else draft | {"event_id": key}
    first = house.record(mine, **headers)
    again = client.post("/expenses", json=mine, headers=headers)
    assert again.json() == first
    other = client.post("/expenses", json=mine | {"amount": "99.00"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["errors"][0]["rule"] == "event_id_unused"
    listed = client.get("/expenses", params={"text": draft["description"]}).json()["expenses"]
    assert [expense["transaction_id"] for expense in listed] == [first["transaction_id"]]


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"amount": 12.5}, "amount", "as a string"),
        ({"amount": "12.505"}, "amount", "2 decimals"),
        ({"amount": "-1.00"}, "amount", "0 or more"),
        ({"amount": "1", "kind": "income"}, "amount", "0 or less"),
        ({"amount": "twelve"}, "amount", "decimal"),
        ({"currency": "XXQ"}, "currency", "ISO 4217"),
        ({"occurred_on": "2026-13-01"}, "occurred_on", "month"),
        ({"occurred_on": "1066-10-14"}, "occurred_on", "1900"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"account_id": "mine"}, "account_id", "UUID"),
        ({"lines": [{"amount": "1.00"}]}, "lines", "sum to"),
        ({"note": "nul \0"}, "note", "NUL"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_its_field_and_nothing_is_stored(client, draft, change, field, says):
    answer = client.post("/expenses", json=draft | change)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert says.lower() in answer.json()["detail"].lower()
    assert client.get("/expenses", params={"text": draft["description"]}).json()["expenses"] == []


def test_a_change_names_the_version_it_is_of_and_the_second_of_two_is_told(house, client, draft):
    transaction_id = house.record(draft)["transaction_id"]
    where = f"/expenses/{transaction_id}"
    assert client.get(where).headers["etag"] == '"1"'
    assert client.patch(where, json={"note": "mine"}).status_code == 428
    first = client.patch(where, json={"note": "mine"}, headers={"If-Match": '"1"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    second = client.patch(where, json={"note": "theirs"}, headers={"If-Match": '"1"'})
    assert (second.status_code, second.headers["etag"]) == (412, '"2"')
    assert "version 2" in second.json()["detail"]
    assert house.read(transaction_id)["note"] == "mine"


def test_a_change_sent_again_is_the_same_and_another_one_under_its_key_is_refused(client, draft):
    where = f"/expenses/{client.post('/expenses', json=draft).json()['transaction_id']}"
    keyed = {"If-Match": '"1"', "Idempotency-Key": str(uuid4())}
    first, again = (client.patch(where, json={"note": "mine"}, headers=keyed) for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert client.patch(where, json={"note": "another"}, headers=keyed).status_code == 412
    assert client.post(f"{where}/void", headers=keyed).status_code == 412
    assert client.get(where).json()["note"] == "mine"
    assert len(client.get(f"{where}/history").json()) == 2


def test_of_many_changes_of_one_version_exactly_one_wins(house, client, draft):
    transaction_id = house.record(draft)["transaction_id"]

    def change(number: int) -> int:
        answer = client.patch(f"/expenses/{transaction_id}", json={"note": str(number)}, headers={"If-Match": '"1"'})
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(change, range(8)))
    assert sorted(codes) == [200] + [412] * 7
    expense = house.read(transaction_id)
    assert (expense["version"], expense["note"]) == (2, str(codes.index(200)))


def test_a_voided_expense_leaves_the_list_and_comes_back_as_it_was(house, client, draft):
    transaction_id = house.record(draft)["transaction_id"]

    def listed(**filters) -> list[str]:
        found = client.get("/expenses", params={"text": draft["description"], **filters}).json()["expenses"]
        return [expense["transaction_id"] for expense in found]

    where = f"/expenses/{transaction_id}"
    assert client.post(f"{where}/void", headers={"If-Match": '"1"'}).status_code == 200
    assert (listed(), listed(status="void"), listed(status="any")) == ([], [transaction_id], [transaction_id])
    assert client.patch(where, json={"note": "x"}, headers={"If-Match": '"2"'}).status_code == 422
    assert client.post(f"{where}/restore", headers={"If-Match": '"2"'}).status_code == 200
    assert listed() == [transaction_id]
    assert house.read(transaction_id)["amount"] == "12.5000"


@pytest.fixture(scope="module")
def month(house, client, home):
    """Twelve expenses over one month; returns their descriptions, newest first."""
    _, account = home
    tag = uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))  # no number of a day is in it
    for day in range(1, 13):
        house.record(
            {
                "account_id": str(account.account_id),
                "occurred_on": f"2024-05-{day:02}",
                "amount": f"{(day * 7) % 12 + 1}.00",
                "currency": "EUR",
                "description": f"Shop {day:02}",
                "category_id": "food.groceries" if day % 2 else "housing.rent",
                "status": "pending" if day == 12 else "posted",
                "tags": [tag],
            },
        )
    return tag


@pytest.mark.parametrize("sort", ["newest", "oldest", "largest", "smallest", "name"])
def test_pages_of_any_order_hold_every_expense_once_and_in_order(client, month, sort):
    found, asked = [], {"text": month, "sort": sort, "limit": 5}
    while True:
        page = client.get("/expenses", params=asked).json()
        assert len(page["expenses"]) <= 5
        found += page["expenses"]
        if page["next"] is None:
            break
        asked["cursor"] = page["next"]
    key, backwards = {
        "newest": ("occurred_on", True),
        "oldest": ("occurred_on", False),
        "largest": ("amount", True),
        "smallest": ("amount", False),
        "name": ("merchant", False),
    }[sort]
    values = [float(e[key]) if key == "amount" else e[key] for e in found]
    assert values == sorted(values, reverse=backwards)
    assert sorted(e["description"] for e in found) == [f"Shop {day:02}" for day in range(1, 13)]


@pytest.mark.parametrize(
    ("filters", "days"),
    [
        ({"from": "2024-05-03", "to": "2024-05-05"}, [5, 4, 3]),
        ({"category": "housing"}, [12, 10, 8, 6, 4, 2]),
        ({"category": "food.groceries", "to": "2024-05-04"}, [3, 1]),
        ({"status": "pending"}, [12]),
        ({"kind": "income"}, []),
        ({"account": str(UUID(int=0))}, []),
        ({"text": "sHOp 07"}, [7]),
    ],
)
def test_filters_leave_what_they_name(client, month, filters, days):
    text = f"{month} {filters.pop('text', '')}"
    found = client.get("/expenses", params={"text": text, **filters}).json()["expenses"]
    assert [int(expense["occurred_on"][-2:]) for expense in found] == days


def test_totals_are_of_the_months_asked_for_by_what_was_asked_for(house, client, home):
    _, account = home
    for amount, kind, category in (
        ("10.00", "expense", "food.restaurants"),
        ("2.50", "expense", "travel"),
        ("-4.00", "refund", "travel"),
    ):
        expense = {"account_id": str(account.account_id), "occurred_on": "2023-02-28", "currency": "EUR"}
        gone = house.record({**expense, "amount": amount, "kind": kind, "category_id": category, "description": "x"})
    between = {"from": "2023-01", "to": "2023-02"}
    months = client.get("/totals", params=between).json()
    assert [(row["month"], row["currency"], row["lines"], row["amount"]) for row in months] == [
        ("2023-02", "EUR", 3, "8.5000")
    ]
    by = client.get("/totals", params={**between, "by": ["category", "account"], "kind": ["expense"]}).json()
    assert [(row["category_id"], row["account"], row["kind"], row["amount"]) for row in by] == [
        ("food.restaurants", "Card", None, "10.0000"),
        ("travel", "Card", None, "2.5000"),
    ]
    client.post(f"/expenses/{gone['transaction_id']}/void", headers={"If-Match": '"1"'})
    assert client.get("/totals", params=between).json()[0]["amount"] == "12.5000"
    assert client.get("/totals", params={"from": "2023-03", "to": "2023-02"}).json() == []
    wrong = client.get("/totals", params={"from": "2023-1", "to": "2023-02"})
    assert wrong.status_code == 422
    assert "expected a month such as 2026-03" in wrong.text


def test_a_cursor_of_nobody_is_refused(client):
    answer = client.get("/expenses", params={"cursor": "made up"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


def test_one_workspace_never_shows_in_another(house, client, draft, stack):
    transaction_id = house.record(draft)["transaction_id"]
    other = ensure_workspace(process.ledger(), name=f"Other {uuid4()}", currency="EUR")
    as_other = {"X-Outlay-Workspace": str(other.workspace_id)}
    assert client.get("/expenses", headers=as_other).json() == {"expenses": [], "next": None}
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/void"), ("POST", "/restore")):
        body = {"json": {"note": "x"}} if method == "PATCH" else {}
        answer = client.request(
            method, f"/expenses/{transaction_id}{path}", headers=as_other | {"If-Match": '"1"'}, **body
        )
        assert answer.status_code == 404, (method, path)


def test_a_request_says_which_workspace_and_one_that_does_not_exist_is_not_found(client):
    assert client.get("/expenses", headers={"X-Outlay-Workspace": str(uuid4())}).status_code == 404
    token = client.headers["Authorization"]
    answer = TestClient(app.create()).get("/expenses", headers={"Authorization": token})
    assert (answer.status_code, "X-Outlay-Workspace" in answer.json()["detail"]) == (400, True)


def test_the_first_page_and_the_hundredth_read_the_index_and_no_more(home):
    from outlay.ledger import queries

    workspace, _ = home
    query = queries.named("expenses")
    values = dict.fromkeys(query.parameters) | {"sort": "newest", "size": 51}
    with session("operator", workspace_id=workspace.workspace_id) as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute("EXPLAIN " + query.sql, values, prepare=False).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "transactions_by_day" in text
    assert "Sort" not in text.replace("Incremental Sort", "")


def test_metrics_say_what_each_server_uses_to_whoever_holds_the_key(client, stack):
    assert TestClient(app.create()).get("/metrics").status_code == 401
    scraped = client.get("/metrics").text
    samples = {
        (s.name, s.labels["service"]): s.value
        for family in text_string_to_metric_families(scraped)
        for s in family.samples
        if "service" in s.labels
    }
    for service in ("postgres", "kafka", "registry"):
        assert samples["outlay_service_up", service] == 1
        assert samples["outlay_service_cpu_seconds_total", service] > 0
        assert samples["outlay_service_memory_bytes", service] > 2**20
    assert stack.api_token.get_secret_value() not in scraped


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/expenses", "GET, POST"),
        ("PUT", "/expenses/0d1f7d5e-6a4b-5b7e-9a51-3f0c5a2e8d44", "GET, PATCH"),
        ("PATCH", "/expenses/bulk", "POST"),
        ("DELETE", "/invitations/accept", "POST"),
        ("HEAD", "/health", "GET"),
    ],
)
def test_another_method_is_told_all_that_the_path_takes(client, method, path, allowed):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("day", ["0", "1700000000", "2026-3-1", "2026-02-30", ""])
def test_a_day_is_a_day_and_no_number_of_seconds(client, draft, day):
    assert client.get("/expenses", params={"from": day}).status_code == 422
    assert client.post("/expenses", json=draft | {"occurred_on": day}).status_code == 422
    assert client.post("/expenses", json=draft | {"occurred_on": 0}).status_code == 422
